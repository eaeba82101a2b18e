from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.datasets.capture import SIZE, cameras_in, misplaced, textures, write_corner
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.baking.capture import process
from duplex.baking.capture.posing import is_capture, pose
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.runtime.progress import ProgressEvent


@pytest.fixture(scope="session")
def corner(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Camera]]:
    """Photos of a corner, the folder of their poses, and their true cameras."""
    folder = tmp_path_factory.mktemp("corner")
    cameras = write_corner(folder / "photos")
    pose(folder / "photos", folder / "poses")
    return folder / "photos", folder / "poses", cameras


def test_photos_without_cameras_get_those_they_were_taken_with(corner: tuple[Path, Path, list[Camera]]) -> None:
    photos, poses, cameras = corner
    assert is_capture(photos) and not is_capture(poses)
    found = cameras_in(poses)
    position, angle = misplaced(found, cameras)
    assert position < 0.01 and angle < 0.5
    assert np.allclose([camera.fx for camera in found], cameras[0].fx, rtol=0.02)
    up = np.mean([camera.camera_to_world[:3, 1] for camera in found], axis=0)
    assert up[2] > 0.8 * np.linalg.norm(up)


def test_the_folder_is_a_dataset_of_colmap_too(corner: tuple[Path, Path, list[Camera]], tmp_path: Path) -> None:
    _, poses, cameras = corner
    shutil.copytree(poses, tmp_path / "same")
    (tmp_path / "same" / "transforms.json").unlink()
    dataset = read_dataset(tmp_path / "same")
    assert dataset.kind == "colmap" and dataset.near is not None and dataset.missing == 0
    assert max(misplaced(cameras_in(tmp_path / "same"), cameras)) < 0.5
    assert not (poses / "work").exists()
    sparse, same = dataset.sparse, read_dataset(poses).sparse
    assert sparse is not None and len(sparse.positions) > 300 and len(sparse.sightings) > 2 * len(sparse.positions)
    assert same is not None and np.allclose(sparse.positions, same.positions)  # beside transforms.json too


def test_poses_of_the_same_photos_are_kept(
    corner: tuple[Path, Path, list[Camera]], monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, poses, _ = corner
    monkeypatch.setattr("duplex.baking.capture.posing.reconstruct", lambda *_: pytest.fail("posed again"))
    before = (poses / "transforms.json").read_bytes()
    for photo in photos.iterdir():
        os.utime(photo, (1, 1))  # put back from a copy that has lost the dates
    report = pose(photos, poses)
    assert report.photos == 10 and len(report.placed) == 10 and report.points > 300
    assert (poses / "transforms.json").read_bytes() == before


def test_poses_of_other_photos_are_refused_and_stay(corner: tuple[Path, Path, list[Camera]], tmp_path: Path) -> None:
    _, poses, _ = corner
    write_corner(tmp_path / "others", 3)
    before = (poses / "transforms.json").read_bytes()
    with pytest.raises(DuplexError, match=r"poses of other photos or settings.*--restart.*--poses"):
        pose(tmp_path / "others", poses)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for flags in ({}, {"restart": True}):
        with pytest.raises(DuplexError, match="no folder of poses that duplex made"):
            pose(tmp_path / "others", tmp_path / "mine", **flags)
    assert (poses / "transforms.json").read_bytes() == before
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_what_it_has(tmp_path: Path) -> None:
    write_corner(tmp_path / "photos", 8)

    def stop(event: ProgressEvent) -> None:
        if event.stage == "posing photos":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pose(tmp_path / "photos", tmp_path / "poses", progress=stop)
    with pytest.raises(DuplexError, match="posing was interrupted: go on with --resume"):
        pose(tmp_path / "photos", tmp_path / "poses")
    begun = dict[str, int]()

    def first(event: ProgressEvent) -> None:
        begun.setdefault(event.stage, event.done)

    report = pose(tmp_path / "photos", tmp_path / "poses", resume=True, progress=first)
    assert begun["finding features"] == 8 and begun["matching photos"] > 0
    assert len(report.placed) == 8


def turned_copy(source: Path, target: Path) -> None:
    """The photo as a telephone stores it that was held on its side: turned, with the tag that says so."""
    picture = Image.open(source).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0xA405] = 32
    picture.save(target, "JPEG", quality=95, exif=exif)


@pytest.mark.slow
def test_unusable_photos_are_left_out_and_turned_ones_are_upright(tmp_path: Path) -> None:
    cameras = write_corner(tmp_path / "corner", 14)
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, file in enumerate(sorted((tmp_path / "corner").iterdir())):
        turned_copy(file, photos / f"{i:03d}.jpg") if i % 2 else shutil.copy(file, photos / file.name)
    (photos / "003.jpg").write_bytes((photos / "003.jpg").read_bytes()[:300])
    Image.new("RGB", (400, 300), (90, 120, 150)).save(photos / "wall.png")
    said = []
    report = pose(photos, tmp_path / "poses", progress=lambda event: said.append(event.message))
    assert len(report.placed) == 13
    assert any("003.jpg" in line and "left out" in line for line in said)
    assert any("1 of 14 photos are left out, wall.png" in line for line in said)
    kept = [camera for i, camera in enumerate(cameras) if i != 3]
    found = cameras_in(tmp_path / "poses")
    assert {(camera.width, camera.height) for camera in found} == {SIZE}
    position, angle = misplaced(found, kept)
    assert position < 0.02 and angle < 1


@pytest.mark.slow
def test_of_two_places_the_larger_is_used(tmp_path: Path) -> None:
    write_corner(tmp_path / "photos", 8, seed=1)
    write_corner(tmp_path / "photos", 5, seed=2, prefix="other-")
    said: list[str] = []
    report = pose(tmp_path / "photos", tmp_path / "poses", progress=lambda event: said.append(event.message))
    assert report.placed == [f"{i:03d}.png" for i in range(8)]
    assert any("5 of 13 photos are left out, other-000.png" in line and "another place" in line for line in said)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: write_corner(folder, 2), "2 photos that can be read: expected at least 3"),
        (lambda folder: write_walls(folder), r"6 of 6 photos show fewer than 200 points.*texture"),
        (lambda folder: write_strangers(folder), r"0 pairs of 5 photos show the same thing.*a step apart"),
    ],
)
def test_failures_are_explained(make: object, sentence: str, tmp_path: Path) -> None:
    make(tmp_path / "photos")  # type: ignore[operator]
    with pytest.raises(DuplexError, match=sentence):
        pose(tmp_path / "photos", tmp_path / "poses")
    assert not (tmp_path / "poses").exists()


def write_walls(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(6):
        wall = np.clip(np.full((300, 400, 3), 200.0) + rng.normal(0, 1, (300, 400, 1)), 0, 255)
        Image.fromarray(wall.astype(np.uint8)).save(folder / f"{i}.png")


def write_strangers(folder: Path) -> None:
    folder.mkdir()
    for i in range(5):
        picture: Array = textures(10 + i)[0][:300, :400]
        Image.fromarray(picture).save(folder / f"{i}.png")


def test_what_is_missing_is_named_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corner(tmp_path / "photos", 3)
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    with pytest.raises(DuplexError, match=r"need pycolmap, which is not installed: .* -m pip install pycolmap"):
        pose(tmp_path / "photos", tmp_path / "poses")
    assert not (tmp_path / "poses").exists()


def test_what_is_no_capture_is_refused(corner: tuple[Path, Path, list[Camera]], tmp_path: Path) -> None:
    _, poses, _ = corner
    for source in (poses, tmp_path):
        with pytest.raises(DuplexError, match="neither photos without cameras nor a video"):
            pose(source, tmp_path / "out")


def test_the_file_of_cameras_is_nerfstudios(corner: tuple[Path, Path, list[Camera]]) -> None:
    _, poses, _ = corner
    content = json.loads((poses / "transforms.json").read_text())
    assert content["camera_model"] == "OPENCV"
    assert {"w", "h", "fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2", "file_path", "transform_matrix"} == set(
        content["frames"][0]
    )
