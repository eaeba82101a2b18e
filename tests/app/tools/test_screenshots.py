"""Screenshots from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.viewer import viewer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.orbits import scene_orbit
from duplex.app.tools.screenshots import choose_camera

pytestmark = pytest.mark.system


def test_screenshot_shows_the_demo(tmp_path: Path) -> None:
    result = viewer("--screenshot", tmp_path / "a.png", "--size", "120x90")
    assert result.returncode == 0, result.stderr
    pixels = np.asarray(Image.open(tmp_path / "a.png"), np.float32)
    assert pixels.shape == (90, 120, 3)
    assert (pixels[0] == 255).all()  # the teacher's background
    assert (pixels.min(-1) < 200).mean() > 0.05  # a chair
    assert pixels[..., 1].mean() > pixels[..., 2].mean()  # a green one
    assert [f.name for f in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(("ending", "kind"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP"), ("", "PNG")])
def test_the_name_says_which_kind_of_file(ending: str, kind: str, tmp_path: Path) -> None:
    for name in ("a.png", f"b{ending}"):
        assert viewer("--screenshot", tmp_path / name, "--size", "90x60").returncode == 0
    with Image.open(tmp_path / f"b{ending}") as picture:
        assert picture.format == kind and picture.mode == "RGB"
        wanted = np.asarray(Image.open(tmp_path / "a.png"), np.float32)
        assert np.abs(np.asarray(picture, np.float32) - wanted).mean() < 3


def test_what_a_kind_cannot_hold_is_a_sentence(tmp_path: Path) -> None:
    transparent = ("--size", "64x64", "--background", "transparent")
    result = viewer("--screenshot", tmp_path / "a.jpg", *transparent)
    assert result.returncode == 2 and "a JPEG has no transparency" in result.stderr
    assert viewer("--screenshot", tmp_path / "a.webp", *transparent).returncode == 0
    assert Image.open(tmp_path / "a.webp").mode == "RGBA" and [f.name for f in tmp_path.iterdir()] == ["a.webp"]


def test_a_name_that_the_terminal_cannot_show_is_no_error(tmp_path: Path) -> None:
    result = viewer("--screenshot", tmp_path / "画.png", "--size", "16x16", PYTHONIOENCODING="ascii")
    assert result.returncode == 0 and "\\u753b.png" in result.stdout, result.stderr


def test_transparent_screenshot_has_straight_alpha(tmp_path: Path) -> None:
    result = viewer(
        "--screenshot", tmp_path / "a.png", "--size", "100x100", "--background", "transparent", "--camera", 2
    )
    assert result.returncode == 0, result.stderr
    image = Image.open(tmp_path / "a.png")
    assert image.mode == "RGBA"
    alpha = np.asarray(image)[..., 3]
    assert alpha[0, 0] == 0 and alpha.max() > 250
    assert ((alpha > 20) & (alpha < 235)).any()  # soft silhouettes


def test_a_camera_file_is_obeyed(tmp_path: Path, demo: Bundle) -> None:
    camera = scene_orbit(demo).camera(0.3, 100, 100)
    file = tmp_path / "camera.json"
    file.write_text(json.dumps({"camera_to_world": camera.camera_to_world.reshape(-1).tolist(), "fov": 30}))
    found = choose_camera(demo, str(file), (80, 60))
    assert np.allclose(found.camera_to_world, camera.camera_to_world)
    assert found.fov_y == pytest.approx(np.radians(30)) and (found.width, found.height) == (80, 60)
