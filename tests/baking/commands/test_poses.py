"""``duplex-train poses``, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from builders.datasets.capture import write_corner
from duplex.baking.commands import poses, start


def test_photos_are_posed_without_torch(tmp_path: Path) -> None:
    write_corner(tmp_path / "photos", 6)
    script = (
        "import sys; from duplex.baking.commands.start import train; status = train(); "
        "sys.exit(status or 7 * any(x in sys.modules for x in ('torch', 'scipy', 'trimesh')))"
    )
    arguments = ["poses", str(tmp_path / "photos"), "-o", str(tmp_path / "out"), "--json"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["photos"] == 6 and len(report["placed"]) == 6 and report["output"] == str(tmp_path / "out")
    assert "poses: 6 of 6 photos" in done.stderr


def test_a_dataset_of_that_name_needs_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr("duplex.app.start.run", lambda module, extra: called.append(module) or 0)
    for arguments in (["duplex-train", "poses", "x"], ["duplex-train", "./poses", "-o", "x.th"]):
        monkeypatch.setattr(sys, "argv", arguments)
        start.train()
    assert [name.rpartition(".")[2] for name in called] == ["poses", "train"]


def test_an_error_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["duplex-train", "poses", str(tmp_path), "-o", str(tmp_path / "out")])
    assert poses.main() == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()
