"""Datasets of Blender."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders.datasets.checks import one_sentence, refused
from builders.datasets.folders import save, write
from duplex.app.core.errors import DuplexError
from duplex.baking.datasets.reading import read_cameras, read_dataset, read_photos


def test_pictures_are_box_filtered_and_put_on_the_background(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, :4] = [255, 0, 0, 255]
    picture[0, 1] = [0, 0, 255, 255]
    photo = read_photos(write(tmp_path, picture=picture), "test", 0.0)[0]
    pixels = photo.pixels(4, (0.0, 1.0, 0.0))
    assert pixels.shape == (4, 4, 3)
    assert np.allclose(pixels[1, 0], [1, 0, 0]) and np.allclose(pixels[1, 3], [0, 1, 0])
    assert np.allclose(pixels[0, 0], [0.75, 0, 0.25], atol=1e-6)
    rgba, valid = photo.rgba(None)
    assert rgba.shape == (8, 8, 4) and rgba.dtype == np.float32 and valid.shape == (8, 8) and valid.all()
    assert np.array_equal(rgba[:, 5], np.zeros((8, 4)))


@pytest.mark.parametrize(
    "matrix", [0, [1, 2], [[1, 2], 3], [[10**400] * 4] * 4, [["a"] * 4] * 4, np.diag([2, 2, 2, 1]).tolist()]
)
def test_broken_poses_are_refused(tmp_path: Path, matrix: object) -> None:
    refused(write(tmp_path, matrix), "frame ./r_0", "expected")


def test_names_that_leave_the_folder_find_nothing(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write(tmp_path)
    (tmp_path / "link.png").symlink_to(tmp_path / "r_0.png")
    for name in ("../r_0", "..\\r_0", str(tmp_path / "r_0"), "a\0b", "x" * 300, "x" * 5000):
        write(inside, name=name)
        (inside / "r_0.png").unlink()
        refused(inside, "none of the pictures" if name[0] in "ax" else "its picture is outside of")
    (inside / "link.png").symlink_to(tmp_path / "r_0.png")
    write(inside, name="link.png")
    refused(inside, "none of the pictures")


def test_pictures_of_other_kinds_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    Image.new("CMYK", (8, 8)).save(tmp_path / "r_0.png", format="JPEG")
    refused(tmp_path, "CMYK", "8-bit")
    (tmp_path / "r_0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    refused(tmp_path, "not a PNG, JPEG")
    whole = write(tmp_path, picture=np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)) / "r_0.png"
    whole.write_bytes(whole.read_bytes()[:3000])
    refused(tmp_path, "damaged")
    save(tmp_path / "r_0.png", 8193, 1)
    refused(tmp_path, "8193 x 1", "8192")


def test_a_broken_list_of_frames_is_refused(tmp_path: Path) -> None:
    for content in ("", "[]", "{}", '{"camera_angle_x": 9, "frames": [{}]}', '{"camera_angle_x": 1, "frames": []}'):
        (tmp_path / "transforms_test.json").write_text(content)
        with pytest.raises(DuplexError, match="not the cameras of a Blender dataset"):
            read_cameras(tmp_path, "test", 0.0)


def test_blender_frames_may_have_their_own_lens_and_format(tmp_path: Path) -> None:
    frames = [
        {"file_path": "a", "transform_matrix": np.eye(4).tolist()},
        {"file_path": "b.jpg", "transform_matrix": np.eye(4).tolist(), "camera_angle_x": 0.5},
        {"file_path": "c.png", "transform_matrix": np.eye(4).reshape(-1).tolist(), "fl_x": 11},
        {"file_path": "absent", "transform_matrix": np.eye(4).tolist(), "camera_angle_x": 0.6},
    ]
    (tmp_path / "transforms_train.json").write_text(json.dumps({"camera_angle_x": 0.7, "fl_y": 3, "frames": frames}))
    for name in ("a.jpg", "b.jpg", "c.png"):
        save(tmp_path / name)
    dataset = read_dataset(tmp_path, 0.1)
    focals = [photo.camera.fx for photo in dataset.photos["train"]]
    assert focals == pytest.approx([4 / math.tan(0.35), 4 / math.tan(0.25), 11])
    assert [photo.camera.fy for photo in dataset.photos["train"]] == pytest.approx([3, 4 / math.tan(0.25), 11])
    assert {photo.camera.cx for photo in dataset.photos["train"]} == {4 + 0.1 * 6}
    assert dataset.kind == "blender" and dataset.missing == 1 and list(dataset.photos) == ["train"]
    assert np.array_equal(dataset.up, [0, 0, 1]) and np.array_equal(dataset.to_original, np.eye(4))
    assert [(c.width, c.height) for c in read_cameras(tmp_path, "train", 0.0)] == [(8, 6)] * 3 + [(800, 800)]
    one_sentence(lambda: read_photos(tmp_path, "test", 0.0), "transforms_test.json")
