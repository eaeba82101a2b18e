"""What a checkpoint is, from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders import synthetic
from builders.datasets.folders import ring, turned, write_cameras
from duplex.app.core.errors import DuplexError
from duplex.baking.inspection import facts, preview_of
from duplex.baking.runtime.progress import reporting
from duplex.baking.subject import SceneOptions, read_subject


def test_facts_and_a_picture_of_a_checkpoint(octahedron: Path) -> None:
    subject = read_subject(octahedron, None, "cpu", SceneOptions(background="black"))
    assert facts(subject)["background"] == [0, 0, 0] and facts(subject)["near"] == subject.teacher.scene.near
    preview = preview_of(subject, 32)
    assert preview.picture.shape == (32, 32, 3) and preview.picture.dtype == np.uint8
    assert preview.picture[0].max() == 0 < preview.picture[16, 16].max()
    assert (preview.matter[0] < -synthetic.RADIUS + 0.1).all() and (preview.matter[1] > synthetic.RADIUS - 0.1).all()
    with pytest.raises(DuplexError, match="--size 8: expected 16 to 2048 pixels"):
        preview_of(subject, 8)


@pytest.mark.parametrize(("angles", "up"), [((0, 90, 0), "+x"), ((90, 0, 0), "-y"), ((0, 4, 0), "+z")])
def test_up_is_what_the_cameras_show(
    octahedron: Path, tmp_path: Path, angles: tuple[float, float, float], up: str
) -> None:
    cameras, shown = turned(ring(), *angles)
    lines: list[str] = []
    with reporting(lambda event: lines.append(event.message)):
        subject = read_subject(octahedron, write_cameras(tmp_path, cameras), "cpu", SceneOptions())
        chosen = read_subject(octahedron, tmp_path, "cpu", SceneOptions(up="-y"))
    notes = [line for line in lines if line.startswith("note: up is")]
    if up == "+z":
        assert facts(subject)["up"] == [0, 0, 1] and not notes
    else:
        assert np.allclose(facts(subject)["up"], shown) and np.allclose(subject.rig.up, shown)
        assert notes == [f"note: up is {up} by the cameras, not +z as its format has it: --up says otherwise"]
    assert facts(chosen)["up"] == [0, -1, 0]


def test_the_picture_of_a_portrait_stands_upright(octahedron: Path, tmp_path: Path) -> None:
    pictures = []
    for name, rolls in (("level", (0,)), ("portraits", (90, 90, -90, 0))):
        folder = tmp_path / name
        folder.mkdir()
        subject = read_subject(octahedron, write_cameras(folder, ring(12, 40, rolls)), "cpu", SceneOptions())
        pictures.append(preview_of(subject, 32).picture.astype(float))
    assert np.abs(pictures[0] - pictures[1]).mean() < 1 < np.abs(pictures[0] - np.rot90(pictures[0])).mean()


def test_a_picture_that_would_take_long_stays_coarse(octahedron: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = read_subject(octahedron, None, "cpu", SceneOptions())
    fine = preview_of(subject, 50).picture
    monkeypatch.setattr("duplex.baking.inspection.PICTURE_SECONDS", 0.0)
    coarse = preview_of(subject, 50).picture
    assert coarse.shape == fine.shape and len(np.unique(coarse, axis=0)) <= 12 < len(np.unique(fine, axis=0))
    assert np.abs(coarse.astype(float) - fine).mean() < 12
