import dataclasses
import math
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import moderngl
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from duplex.app.core.errors import DuplexError
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import read_bundle
from duplex.app.scene.camera import Camera
from duplex.assets import DEMO_BUNDLE
from duplex.baking.evaluation.evaluate import Compared, Judge, facts, frame_seconds, summary
from duplex.baking.evaluation.metrics import Metrics, Quality, mean_of
from duplex.baking.evaluation.report import ERROR_RANGE, error_map, html_report


@pytest.fixture(scope="module")
def judge(ctx: moderngl.Context) -> Judge:
    bundle = read_bundle(DEMO_BUNDLE)
    return Judge(bundle, Renderer(ctx, bundle), Metrics(lpips=False))


@pytest.fixture(scope="module")
def compared(judge: Judge) -> list[Compared]:
    cameras = [camera.resized(48, 48) for camera in judge.bundle.cameras[:5]]

    def grey(camera: Camera) -> np.ndarray:
        return np.full((camera.height, camera.width, 3), 0.5, np.float32)

    return judge.compare([(c, lambda c=c: grey(c)) for c in cameras], "test")  # type: ignore[misc]


@pytest.fixture(scope="module")
def page(judge: Judge, compared: list[Compared]) -> str:
    report = {"teacher": summary(compared), "photos": None} | facts(judge.bundle, DEMO_BUNDLE)
    frames = {64: frame_seconds(judge, 64)}
    return html_report(judge.bundle, DEMO_BUNDLE, report, {"teacher": compared}, frames).decode()


def test_a_comparison_is_that_of_the_drawn_picture(judge: Judge, compared: list[Compared]) -> None:
    drawn = judge.renderer.image(judge.bundle.cameras[2].resized(48, 48))[..., :3] / 255
    assert abs(compared[2].quality.psnr + 10 * np.log10(np.mean((drawn - 0.5) ** 2))) < 1e-4
    assert compared[2].drawn is not None and np.abs(compared[2].drawn - drawn).max() < 1e-6


def test_means_leave_out_what_was_not_measured_everywhere() -> None:
    means = mean_of([Quality(30, 0.9, 0.1, None), Quality(20, 0.7, 0.3, 0.2)])
    assert means == {"psnr": 25, "ssim": pytest.approx(0.8), "lpips_vgg": pytest.approx(0.2), "lpips_alex": None}


def test_an_error_map_grows_brighter_with_the_error() -> None:
    wanted = np.zeros((1, 3, 3), np.float32)
    drawn = np.array([[[0, 0, 0], [ERROR_RANGE / 2] * 3, [1, 1, 1]]], np.float32)
    brightness = error_map(drawn, wanted).astype(int).sum(-1)[0]
    assert brightness[0] < 20 < brightness[1] < brightness[2]


def test_a_report_asks_nothing_of_anybody(page: str, compared: list[Compared]) -> None:
    assert page.count('src="data:image/png;base64,') == 3 * len(compared) + 1
    sources = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]+)', page)
    assert sources and all(source.startswith(("data:", "#")) for source in sources)
    assert "not measured" in page  # LPIPS was left out
    assert page.count("<svg") >= 3


def test_a_report_opens_in_a_browser_without_an_error(page: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium is installed: whether it opens the report without an error stays untried")

    def opened(html: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "x.report.html"
        file.write_text(html, "utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        flags += ["--enable-logging=stderr", "--disable-background-networking", "--no-first-run", "--dump-dom"]
        return subprocess.run([browser, *flags, file.as_uri()], capture_output=True, text=True, timeout=120)

    done = opened(page)
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<figure>") == page.count("<figure>") and "</html>" in done.stdout
    nosy = opened(page.replace("<h2>", '<img src="http://example.invalid/x.png"><h2>', 1))
    assert "Content Security Policy" in nosy.stderr  # the page itself forbids what it does not need


def test_a_report_of_strange_names_and_numbers(judge: Judge, compared: list[Compared], tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9 $^$.bundle")
    shutil.copy(DEMO_BUNDLE, file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("$^$ <script>", b"")
    many = {f"stage {i}": 1.0 for i in range(1000)}
    strange = {"seconds": {"\ud800": 1, "x": 10**400, "y": math.nan, **many}, "curve": [[1, 10**400, 3]]}
    bundle = dataclasses.replace(judge.bundle, report=judge.bundle.report | strange)
    report = {"teacher": summary(compared), "photos": None} | facts(bundle, file)
    found = html_report(bundle, file, report, {"teacher": compared}, {64: 0.1}).decode()
    assert "$^$" in found and "<script>" not in found and found.count("stage ") < 50


def test_a_picture_of_which_nothing_is_known_is_left_out(judge: Judge) -> None:
    camera = judge.bundle.cameras[0].resized(32, 32)
    known, unknown = judge.drawn(camera), np.full((32, 32, 3), np.nan, np.float32)
    found = judge.compare([(camera, lambda: known), (camera, lambda: unknown)], "test")
    assert len(found) == 1 and found[0].quality.psnr > 60
    with pytest.raises(DuplexError, match="no pixel of 1 pictures is known"):
        judge.compare([(camera, lambda: unknown)], "test")


def test_pictures_smaller_than_the_window_of_ssim_are_told_of() -> None:
    with pytest.raises(DuplexError, match="9: SSIM needs 11"):
        Metrics(lpips=False)(np.zeros((9, 20, 3), np.float32), np.zeros((9, 20, 3), np.float32))


def test_unknown_pixels_of_a_reference_do_not_count() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.random((40, 40, 3)).astype(np.float32)
    wanted = drawn + rng.choice(np.array([-0.2, 0.2], np.float32), drawn.shape)
    whole, wanted[:20] = Metrics(lpips=False)(drawn, wanted), np.nan
    found = Metrics(lpips=False)(drawn, wanted)
    assert found.psnr == pytest.approx(20 - 20 * math.log10(2), abs=1e-3)
    assert whole.ssim < 0.9 and found.ssim == pytest.approx(whole.ssim, abs=0.03)


def test_ssim_is_the_mean_over_whole_windows() -> None:
    a, b = np.random.default_rng(0).random((2, 30, 40, 3)).astype(np.float32)
    settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    wanted = structural_similarity(a, b, channel_axis=-1, data_range=1.0, **settings)
    assert Metrics(lpips=False)(a, b).ssim == pytest.approx(wanted, abs=1e-6)
