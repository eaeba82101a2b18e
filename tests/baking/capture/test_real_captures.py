"""Real captures, posed from their bare photos; minutes each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.datasets.capture import cameras_in, misplaced, write_video
from duplex.baking.capture.posing import pose
from duplex.baking.datasets.reading import read_dataset

pytestmark = pytest.mark.slow


def test_fox_is_posed_as_in_its_own_file(data: Path, tmp_path: Path) -> None:
    report = pose(data / "captures" / "fox" / "images", tmp_path / "poses")
    assert len(report.placed) == 50
    known = json.loads((data / "captures" / "fox" / "transforms.json").read_text())
    names = {Path(frame["file_path"]).stem for frame in known["frames"]}
    assert {Path(name).stem for name in report.placed} <= names
    position, angle = misplaced(cameras_in(tmp_path / "poses"), cameras_in(data / "captures" / "fox"))
    assert position < 0.01 and angle < 0.5


def test_a_video_of_fox_is_posed(data: Path, tmp_path: Path) -> None:
    photos = sorted((data / "captures" / "fox" / "images").iterdir())
    frames = [np.asarray(Image.open(photo).convert("RGB").resize((720, 1280))) for photo in photos]
    write_video(tmp_path / "walk.mp4", frames)
    report = pose(tmp_path / "walk.mp4", tmp_path / "poses")
    assert report.photos >= 25 and len(report.placed) >= 0.9 * report.photos  # of 50 frames, a step apart


def test_a_folder_with_unusable_photos_is_posed_without_them(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(data / "captures" / "fox" / "images", folder)
    broken = sorted(folder.iterdir())[::10]
    for i, file in enumerate(broken):
        file.write_bytes(file.read_bytes()[: (1 << 12) * i])  # cut off, or empty
    lines: list[str] = []
    report = pose(folder, tmp_path / "poses", progress=lambda event: lines.append(event.message))
    assert len(report.placed) == 45 and not {Path(name).name for name in report.placed} & {x.name for x in broken}
    assert all(file.name in " ".join(lines) for file in broken)


def test_portraits_among_landscapes_are_posed(data: Path, tmp_path: Path) -> None:
    report = pose(data / "captures" / "pinecone" / "images", tmp_path / "poses")
    assert len(report.placed) == 39
    cameras = cameras_in(tmp_path / "poses")
    assert {camera.width > camera.height for camera in cameras} == {True, False}
    gazes = np.stack([-camera.camera_to_world[:3, 2] for camera in cameras])
    assert np.median(gazes[:, 2]) < -0.1  # they look down at a cone on the ground


def test_ferns_photos_are_posed(data: Path, tmp_path: Path) -> None:
    for file in (data / "llff" / "fern" / "images_8").iterdir():
        (tmp_path / "photos").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "photos")
    report = pose(tmp_path / "photos", tmp_path / "poses")
    assert len(report.placed) == 20
    assert read_dataset(tmp_path / "poses").forward_facing
