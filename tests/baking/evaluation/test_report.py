"""The report as a page."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from duplex.app.scene.archive import sizes_by_kind
from duplex.assets import DEMO_BUNDLE
from duplex.baking.evaluation.comparison import Compared, Judge, facts, summary
from duplex.baking.evaluation.evaluation import Evaluation
from duplex.baking.evaluation.report import ERROR_RANGE, error_map, html_report


@pytest.fixture(scope="module")
def page(judge: Judge, compared: list[Compared]) -> str:
    report = {"teacher": summary(compared), "photos": None} | facts(
        judge.bundle, sizes_by_kind(DEMO_BUNDLE, DEMO_BUNDLE.stat().st_size)
    )
    return html_report(Evaluation(report, {"teacher": compared}, judge), DEMO_BUNDLE).decode()


def test_an_error_map_grows_brighter_with_the_error() -> None:
    wanted = np.zeros((1, 3, 3), np.float32)
    drawn = np.array([[[0, 0, 0], [ERROR_RANGE / 2] * 3, [1, 1, 1]]], np.float32)
    brightness = error_map(drawn, wanted).astype(int).sum(-1)[0]
    assert brightness[0] < 20 < brightness[1] < brightness[2]


def test_a_report_asks_nothing_of_anybody(page: str, judge: Judge, compared: list[Compared]) -> None:
    assert page.count('src="data:image/png;base64,') == 3 * len(compared) + 2 * len(judge.worst.crops) + 1
    assert len(judge.worst.crops) == 4
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
    report = {"teacher": summary(compared), "photos": None} | facts(bundle, sizes_by_kind(file, file.stat().st_size))
    judged = dataclasses.replace(judge, bundle=bundle)
    found = html_report(Evaluation(report, {"teacher": compared}, judged), file).decode()
    assert "$^$" in found and "<script>" not in found and found.count("stage ") < 50
