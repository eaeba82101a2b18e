"""From photos to the viewer in one command."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from duplex.baking.commands import fly

WINDOW = """
import sys, time
from pathlib import Path
shown = Path(sys.argv[1])
while shown.read_bytes() != b"finished":
    time.sleep(0.02)
shown.with_name("shown").touch()
"""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was trained, baked and viewed, with stubs in the place of each."""
    found: list[Any] = []

    def train(source: Path, teacher: Path, **options: Any) -> SimpleNamespace:
        found.append(("train", source.name, teacher.name, options))
        teacher.write_bytes(b"teacher")
        Path(f"{teacher}.poses").mkdir(exist_ok=True)
        return SimpleNamespace(psnr=27.0)

    def bake(teacher: Path, output: Path, **options: Any) -> None:
        preview = options.pop("preview")
        found.append(("bake", teacher.name, output.name, options["data"].name, options["resume"], options["restart"]))
        preview.write_bytes(b"so far")
        output.write_bytes(b"finished")

    def view(bundle: Path) -> int:
        found.append(("view", bundle.name))
        return 0

    for name, stub in (("train", train), ("bake", bake), ("view", view)):
        monkeypatch.setattr(fly, name, stub)
    return found


def test_what_an_earlier_run_made_is_used(calls: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fly.start, "__file__", str(tmp_path / "no-window.py"))
    source, output = tmp_path / "photos", tmp_path / "photos.bundle"
    for name in ("photos.th.training", "photos.bundle.baking"):
        (tmp_path / name).mkdir()
    assert fly.fly(source, output, "draft") == 0
    trained = ("train", "photos", "photos.th", {"quality": "draft", "resume": True, "restart": False})
    baked = ("bake", "photos.th", "photos.bundle", "photos.th.poses", True, False)
    assert calls == [trained, baked, ("view", "photos.bundle")]
    assert not list(tmp_path.glob("*.preview.*"))
    output.unlink()
    fly.fly(source, output, "draft")
    fly.fly(source, output, "draft")
    assert [call[0] for call in calls[3:]] == ["bake", "view", "view"]


def test_what_an_earlier_run_began_is_thrown_away_if_asked(
    calls: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fly.start, "__file__", str(tmp_path / "no-window.py"))
    for name in ("photos.th.training", "photos.th.poses", "photos.bundle.baking"):
        (tmp_path / name).mkdir()
    assert fly.fly(tmp_path / "photos", tmp_path / "photos.bundle", "draft", restart=True) == 0
    trained = ("train", "photos", "photos.th", {"quality": "draft", "resume": False, "restart": True})
    assert calls[:2] == [trained, ("bake", "photos.th", "photos.bundle", "photos.th.poses", False, True)]


def test_the_window_of_the_preview_gets_the_finished_scene(
    calls: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "window.py").write_text(WINDOW)
    monkeypatch.setattr(fly.start, "__file__", str(tmp_path / "window.py"))
    started = subprocess.Popen
    opened: list[list[str]] = []

    def popen(command: list[str], **options: Any) -> Any:
        opened.append(command)
        return started(command, **options)

    quick = fly.bake

    def bake(*arguments: Any, **options: Any) -> None:  # takes until the window is open
        quick(*arguments, **options)
        deadline = time.monotonic() + 30
        while not opened and time.monotonic() < deadline:
            time.sleep(0.02)

    monkeypatch.setattr(fly, "bake", bake)
    monkeypatch.setattr(fly.subprocess, "Popen", popen)
    assert fly.fly(tmp_path / "walk.mp4", tmp_path / "walk.bundle", "draft") == 0
    assert [call[0] for call in calls] == ["train", "bake"], "the window is open already"
    assert [command[0] for command in opened] == [sys.executable] and opened[0][-1].endswith("walk.preview.bundle")
    assert (tmp_path / "shown").exists() and not list(tmp_path.glob("*.preview.*"))


def test_without_a_display_the_bundle_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "window.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(fly.start, "__file__", str(tmp_path / "window.py"))
    assert fly.view(tmp_path / "x.bundle") == 0
    (tmp_path / "window.py").write_text("raise SystemExit(2)")
    assert fly.view(tmp_path / "x.bundle") == 2
