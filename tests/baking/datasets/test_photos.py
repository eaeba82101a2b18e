"""What of a photo counts: masks of both kinds, the circle of a fisheye."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from builders.datasets.checks import every_photo, refused
from builders.datasets.folders import llff_rows, poses, ring, save, turned, write_cameras, write_llff
from duplex.baking.datasets.photos import Photo
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.job import identity


def photo_of(folder: Path, name: str = "f_0") -> Photo:
    return next(photo for photo in every_photo(read_dataset(folder)) if photo.path.stem == name)


def draw_mask(file: Path, white: tuple[slice, slice], mode: str = "L") -> np.ndarray:
    mask = np.zeros((6, 8), np.uint8)
    mask[white] = 255
    Image.fromarray(mask).convert(mode).save(file, lossless=True)
    return mask > 0


@pytest.mark.parametrize(
    ("file_name", "suffix", "mode"),
    [("transforms.json", ".png", "L"), ("transforms_train.json", ".webp", "RGB"), ("transforms.json", ".PNG", "RGBA")],
)
def test_what_moves_does_not_count(tmp_path: Path, file_name: str, suffix: str, mode: str) -> None:
    folder = write_cameras(tmp_path, poses(), file_name)
    white = draw_mask(folder / f"images/dynamic_mask_f_0{suffix}", np.s_[:2, :], mode)
    before = identity(photo_of(folder, "f_1"))
    photo = photo_of(folder)
    rgba, valid = photo.rgba()
    assert np.array_equal(valid, ~white) and (rgba[~valid] == 0).all() and (rgba[valid] == 1).all()
    assert photo_of(folder, "f_1").rgba()[1].all() and identity(photo_of(folder, "f_1")) == before
    assert len(every_photo(read_dataset(folder))) == 10


def test_masks_of_both_kinds_combine(tmp_path: Path) -> None:
    folder = write_cameras(tmp_path, poses())
    moves = draw_mask(folder / "images/dynamic_mask_f_0.png", np.s_[:2, :])
    counts = draw_mask(folder / "mask.png", np.s_[:, 3:])
    content = json.loads((folder / "transforms.json").read_text())
    content["frames"][0]["mask_path"] = "mask.png"
    (folder / "transforms.json").write_text(json.dumps(content))
    assert np.array_equal(photo_of(folder).rgba()[1], counts & ~moves)
    Image.new("L", (8, 2)).save(folder / "images/dynamic_mask_f_0.png")
    refused(folder, "dynamic_mask_f_0.png", "a mask of 8 x 2")


def test_masks_and_hidden_files_are_no_photos(tmp_path: Path) -> None:
    folder = write_llff(tmp_path, llff_rows(poses()))
    for name in ("dynamic_mask_image000.png", "._image000.png", ".DS_Store", "Thumbs.db", ".hidden.jpg"):
        save(folder / "images_2" / "x.png").rename(folder / "images_2" / name)
    dataset = read_dataset(folder)
    assert dataset.missing == 0 and [x.path.name[:5] for x in every_photo(dataset)] == ["image"] * 10


@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize(
    ("lens", "center", "radius"),
    [
        ({"fisheye_crop_radius": 2.5}, (4, 3), 2.5),
        ({"fisheye_crop_radius": 2, "cx": 5.0, "cy": 2.5}, (5, 2.5), 2),
        ({"fisheye_crop_radius": 6, "w": 16, "h": 12, "fl_x": 14.0}, (4, 3), 3),
    ],
)
def test_beyond_the_circle_of_a_fisheye_nothing_counts(
    tmp_path: Path, lens: dict[str, Any], center: tuple[float, float], radius: float, each: bool
) -> None:
    folder = write_cameras(tmp_path, poses(), **({} if each else lens))
    if each:
        content = json.loads((folder / "transforms.json").read_text())
        content["frames"] = [frame | lens for frame in content["frames"]]
        (folder / "transforms.json").write_text(json.dumps(content))
    columns, rows = np.meshgrid(np.arange(8) + 0.5, np.arange(6) + 0.5)
    inside = np.hypot(columns - center[0], rows - center[1]) <= radius
    for shift in (0.0, 0.5):
        photo = every_photo(read_dataset(folder, shift))[0]
        assert np.array_equal(photo.rgba()[1], inside)
    assert identity(photo) != identity(every_photo(read_dataset(write_cameras(tmp_path, poses()), 0.5))[0])


def test_a_circle_is_a_positive_number(tmp_path: Path) -> None:
    for wrong in (0, -3, "wide"):
        refused(write_cameras(tmp_path, poses(), fisheye_crop_radius=wrong), "fisheye_crop_radius", "expected")


@pytest.mark.parametrize("w", [0.001184, 2.5, -0.5])
def test_matrices_are_divided_by_their_homogeneous_scale(tmp_path: Path, w: float) -> None:
    cameras, _ = turned(ring(), 0, 0, 20)
    dataset = read_dataset(write_cameras(tmp_path, cameras * w))
    found = {photo.path.stem: photo.camera.camera_to_world for photo in every_photo(dataset)}
    assert all(np.allclose(found[f"f_{i}"], pose) for i, pose in enumerate(cameras))
    assert len(dataset.notes) == 1 and f"0 0 0 {w:.4g}, a homogeneous scale: 12 matrices" in dataset.notes[0]
    cameras[:, 3, 3] = w
    refused(write_cameras(tmp_path, cameras), "f_", f"homogeneous scale w is {w:.4g}", "expected 0 0 0 1")


@pytest.mark.parametrize(
    ("lens", "words"),
    [
        ({"k1": 46.6, "k2": -3690, "fl_y": 15.0}, ("folds the picture", "focal lengths are 7 and 15")),
        ({"k1": -2.5}, ("folds the picture",)),
        ({"fl_x": 0.5}, ("sees 166 x 161 degrees",)),
        ({"fl_x": 300.0}, ("sees 1.53 x 1.15 degrees",)),
        ({"cx": 40.0}, ("principal point 40, 3 is outside",)),
        ({"p2": 2.4}, ("p1, p2 are 0, 2.4",)),
    ],
)
def test_an_unlikely_lens_is_noted_and_used(tmp_path: Path, lens: dict[str, Any], words: tuple[str, ...]) -> None:
    dataset = read_dataset(write_cameras(tmp_path, poses(), **lens))
    assert len(dataset.notes) == 1 and all(word in dataset.notes[0] for word in words), dataset.notes
    assert len(every_photo(dataset)) == 10 and len(dataset.notes[0].replace(str(tmp_path), "")) < 300
    every_photo(dataset)[0].rgba()


@pytest.mark.parametrize("lens", [{}, {"k1": -0.3, "k2": 0.1}, {"fl_x": 2.0}, {"fl_y": 6.0}, {"k1": 0.05, "p1": 0.01}])
def test_a_usual_lens_is_not_noted(tmp_path: Path, lens: dict[str, Any]) -> None:
    assert read_dataset(write_cameras(tmp_path, poses(), **lens)).notes == ()
