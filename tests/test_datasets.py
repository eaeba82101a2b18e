import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duplex.app.errors import DuplexError
from duplex.baking.datasets import read_cameras, read_photos


def write(folder: Path, matrix: object = None, name: str = "./r_0", picture: np.ndarray | None = None) -> Path:
    pose = np.eye(4).tolist() if matrix is None else matrix
    content = {"camera_angle_x": 0.7, "frames": [{"file_path": name, "transform_matrix": pose}]}
    (folder / "transforms_test.json").write_text(json.dumps(content))
    Image.fromarray(np.zeros((8, 8, 4), np.uint8) if picture is None else picture).save(folder / "r_0.png")
    return folder


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(DuplexError) as error:
        read_photos(folder, "test", 0.0)[0].pixels(4, (1.0, 1.0, 1.0))
    assert "\n" not in str(error.value) and all(word in str(error.value) for word in words), str(error.value)


def test_pictures_are_box_filtered_and_put_on_the_background(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, :4] = [255, 0, 0, 255]
    picture[0, 1] = [0, 0, 255, 255]
    pixels = read_photos(write(tmp_path, picture=picture), "test", 0.0)[0].pixels(4, (0.0, 1.0, 0.0))
    assert pixels.shape == (4, 4, 3)
    assert np.allclose(pixels[1, 0], [1, 0, 0]) and np.allclose(pixels[1, 3], [0, 1, 0])
    assert np.allclose(pixels[0, 0], [0.75, 0, 0.25], atol=1e-6)


@pytest.mark.parametrize(
    "matrix", [0, [1, 2], [[1, 2], 3], [[10**400] * 4] * 4, [["a"] * 4] * 4, (np.eye(4) * 2).tolist()]
)
def test_broken_poses_are_refused(tmp_path: Path, matrix: object) -> None:
    refused(write(tmp_path, matrix), "camera_to_world")


def test_names_that_leave_the_folder_find_nothing(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write(tmp_path)
    for name in ("../r_0", str(tmp_path / "r_0"), "a\0b", "x" * 5000):
        write(inside, name=name)
        (inside / "r_0.png").unlink()
        refused(inside, "none of the pictures")


def test_pictures_of_other_kinds_are_refused(tmp_path: Path) -> None:
    write(tmp_path, picture=np.full((8, 8), 30000, np.uint16))
    refused(tmp_path, "8-bit")
    (tmp_path / "r_0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    refused(tmp_path, "not a PNG or JPEG")
    whole = write(tmp_path, picture=np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)) / "r_0.png"
    whole.write_bytes(whole.read_bytes()[:3000])
    refused(tmp_path, "damaged")


def test_a_broken_list_of_frames_is_refused(tmp_path: Path) -> None:
    for content in ("", "[]", "{}", '{"camera_angle_x": 9, "frames": [{}]}', '{"camera_angle_x": 1, "frames": []}'):
        (tmp_path / "transforms_test.json").write_text(content)
        with pytest.raises(DuplexError, match="not the cameras of a Blender dataset"):
            read_cameras(tmp_path, "test", 0.0)
