"""``duplex-train``, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.commands.train import main

pytestmark = pytest.mark.usefixtures("one_thread")
FLAGS = ["--size", "32", "--voxels", "32", "--first-voxels", "20", "--density", "4", "--app", "6", "--features", "6"]
FLAGS += ["--width", "16", "--batch", "3000"]
SCRIPT = "import sys; from duplex.baking.commands.train import main; sys.exit(main())"


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    full = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    return subprocess.run(full, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.slow  # resuming in tests/baking/training/test_trainer.py is its quick sibling
def test_a_killed_training_goes_on(photos_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "scene.th"
    arguments = [photos_folder, "-o", output, *FLAGS, "--steps", "300"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    script = "import duplex.baking.runtime.training_state as t; t.SAVE_SECONDS = 0.5; " + SCRIPT
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], env=environment, stderr=subprocess.DEVNULL
    )
    state = tmp_path / "scene.th.training" / "training.safetensors"
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert state.exists() and not output.exists()
    again = command(*arguments)
    assert again.returncode == 2 and "--resume" in again.stderr and "training" in again.stderr
    other = command(*arguments, "--resume", "--seed", "3")
    assert other.returncode == 2 and "other settings" in other.stderr
    resumed = command(*arguments, "--resume", "--json")
    assert resumed.returncode == 0 and "goes on from step" in resumed.stderr
    report = json.loads(resumed.stdout)
    assert report["steps"] == 300 and report["psnr"] > 20 and len(report["views"]) == 4
    assert load_teacher(output).family == "TensoRF" and [f.name for f in tmp_path.iterdir()] == ["scene.th"]


def test_wrong_arguments_are_one_sentence_each(
    photos_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "scene.th"
    for arguments, words in (
        ([tmp_path, "-o", output], "no dataset in this folder"),
        ([photos_folder, "-o", tmp_path], "a folder"),
        ([photos_folder, "-o", tmp_path / "none" / "x.th"], "no such folder"),
        ([photos_folder, "-o", output, "--steps", "0"], "--steps 0"),
        ([photos_folder, "-o", output, "--first-voxels", "200"], "--first-voxels 200"),
        ([photos_folder, "-o", output, "--device", "tpu"], "--device tpu"),
        ([photos_folder, "-o", output, "--background", "mauve"], "--background mauve"),
        ([photos_folder, "-o", output, "--near", "9"], "--near 9"),
        ([photos_folder, "-o", output, "--bounds", "5", "5", "5", "6", "6", "6"], "--bounds"),
    ):
        monkeypatch.setattr(sys, "argv", ["duplex-train", *map(str, arguments)])
        assert main() == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert lines[-1].startswith("error: ") and words in lines[-1], lines
        assert not list(tmp_path.iterdir())
