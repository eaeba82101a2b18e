"""``duplex-bake inspect``, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders import synthetic
from builders.datasets.folders import ring, write_cameras
from duplex.baking.commands import inspect as inspect_cli


@pytest.mark.system
def test_inspect_says_what_a_checkpoint_is_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = synthetic.write_nerf_pytorch(tmp_path / "000007.tar")
    assert inspect_cli.main([str(file), "--size", "64"]) == 0
    out, err = capsys.readouterr()
    assert "nerf-pytorch" in out and "3 layers of 8, skip into layer 2" in out and "10 frequencies" in out
    assert "no args.txt" in err and "no args.txt" in out
    picture = np.asarray(Image.open(tmp_path / "000007-preview.png"), np.float32) / 255
    assert picture.shape == (64, 64, 3)
    assert (picture[0] == 1).all() and picture[32, 32].min() < 0.9  # the octahedron on white

    assert inspect_cli.main([str(file), "--json", "--preview", str(tmp_path / "p.png"), "--background", "#000000"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["family"] == "nerf-pytorch" and found["near"] == 2 and found["background"] == [0, 0, 0]
    low, high = np.array(found["matter"])
    assert (low < -synthetic.RADIUS + 0.1).all() and (high > synthetic.RADIUS - 0.1).all() and np.abs(high).max() < 1.2
    assert np.asarray(Image.open(tmp_path / "p.png"))[0].max() == 0


def test_inspect_refuses_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n")
    for arguments, word in (
        ([str(tmp_path / "photo.png")], "not a checkpoint"),
        ([str(tmp_path / "none")], "no such file"),
        ([str(synthetic.write_flexible(tmp_path)), "--size", "1"], "--size 1"),
        ([str(tmp_path), "--background", "beige"], "--background beige"),
        ([str(tmp_path), "--data", str(tmp_path)], "no dataset"),
    ):
        assert inspect_cli.main(arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()
        assert len([line for line in error if line.startswith("error:")]) == 1 and word in error[-1]


def test_a_dataset_in_the_place_of_a_checkpoint_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_cameras(tmp_path / "photos", ring(6, 20))
    assert inspect_cli.main([str(tmp_path / "photos")]) == 2
    assert "a dataset of photos: expected a checkpoint: train one with duplex-train photos" in capsys.readouterr().err
