"""The viewer's command line without a window: facts and refusals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builders.bundles import seen_from_above, without_numbers
from builders.viewer import CALL, viewer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_writer import write_bundle

pytestmark = pytest.mark.system


def test_the_command_line_warns(demo: Bundle, tmp_path: Path) -> None:
    (tmp_path / "scene.bundle").write_bytes(write_bundle(without_numbers(demo)))
    code = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"
    arguments = ["scene.bundle", "--screenshot", "x.png", "--size", "64x48", "--backend", "fragment"]
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0 and (tmp_path / "x.png").exists()
    assert result.stderr.startswith("warning: ") and "NaN" in result.stderr and result.stderr.count("\n") == 1


def test_the_viewer_never_imports_torch() -> None:
    loads = "import sys, duplex.app.viewer.window, duplex.app.tools.screenshots, duplex.app.tools.cli"
    heavy = "{'torch', 'scipy', 'skimage', 'trimesh', 'onnx'} & set(sys.modules)"
    code = f"{loads}; sys.exit(len({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_info_needs_no_opengl(demo: Bundle, demo_file: Path) -> None:
    result = viewer(demo_file, "--info")
    assert result.returncode == 0
    assert f"{len(demo.outer.mesh.faces)} outer" in result.stdout and "multiply-adds" in result.stdout
    assert re.search(r"^  outer.glb +[\d.]+ kB$", result.stdout, re.M) and "{" not in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) < 160
    found = json.loads(viewer(demo_file, "--info", "--json").stdout)
    assert found["faces"]["outer"] == len(demo.outer.mesh.faces) and found["bytes"] == demo_file.stat().st_size
    assert sum(found["sizes"].values()) == found["bytes"] and found["parts"]["outer.glb"] > 1000


def test_the_version_is_told() -> None:
    result = viewer("--version")
    assert result.returncode == 0 and re.fullmatch(r"duplex \d+\.\d+\.\d+\n", result.stdout)


def test_a_library_that_a_window_lacks_is_one_sentence() -> None:
    code = f"import sys; sys.modules['imgui_bundle'] = None; {CALL}"
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 3 and result.stderr.count("\n") == 1 and "--screenshot" in result.stderr, result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.bundle"], "no such file"),
        (["--size", "huge"], "--size huge"),
        (["--size", "99999x2"], "--size"),
        (["--background", "plaid", "--screenshot", "x.png"], "plaid"),
        (["--camera", "99", "--screenshot", "x.png"], "cameras 0 to"),
        (["--camera", "missing.json", "--screenshot", "x.png"], "neither a number nor a file"),
        (["--screenshot", "/nowhere/x.png"], "/nowhere/x.png: No such file or directory"),
        (["--frames", "0", "--turntable", "-o", "x"], "--frames 0"),
        (["--camera", "1", "--turntable", "-o", "x"], "--camera does not go with"),
        (["--turntable"], "no -o"),
        (["--turntable", "-o", "x.avi"], "no avi is written here: expected .mp4, .mov, .webm, .gif, or a folder"),
        (["--screenshot", "x.bmp"], "expected .png, .jpg, .jpeg, .webp"),
        (["-o", "x"], "--turntable or --render"),
        (["--render", "missing.json", "-o", "x"], "missing.json: no such file"),
        (["--turntable", "-o", "x.mp4", "--fps", "0"], "--fps 0"),
        (["--turntable", "-o", "x.mp4", "--size", "65x48"], "66x48"),
        (["--turntable", "-o", "x.mp4", "--background", "transparent"], "no transparency"),
        (["--turntable", "-o", "missing/x.mp4"], "no folder missing"),
        (["--camera", "²", "--screenshot", "x.png"], "neither a number nor a file"),
        (["--size", "16384x16", "--screenshot", "x.png"], "this driver draws at most"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], words: str) -> None:
    result = viewer(*arguments)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and words in result.stderr, result.stderr


def test_without_a_display_the_remedy_is_named() -> None:
    result = viewer()
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1 and "--screenshot" in result.stderr


def test_unseen_parts_are_drawn_as_wanted(demo: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "scene.bundle"
    file.write_bytes(write_bundle(seen_from_above(demo)))
    pictures = {}
    for flag in ([], ["--unseen", "fade"], ["--unseen", "show"], ["--unseen", "hide"]):
        out = tmp_path / "x.png"
        result = viewer(file, "--screenshot", out, "--size", "64x48", *flag)
        assert result.returncode == 0, result.stderr
        pictures[tuple(flag)] = out.read_bytes()
    assert len(set(pictures.values())) == 3 and pictures[()] == pictures["--unseen", "fade"]
    turns = []
    for unseen in ("fade", "hide"):
        folder = tmp_path / unseen
        result = viewer(file, "--turntable", "-o", folder, "--frames", 1, "--size", "64x48", "--unseen", unseen)
        assert result.returncode == 0, result.stderr
        turns.append((folder / "000.png").read_bytes())
    assert turns[0] != turns[1]
    refused = viewer(file, "--unseen", "dim")
    assert refused.returncode and "dim" in refused.stderr and "hide" in refused.stderr
