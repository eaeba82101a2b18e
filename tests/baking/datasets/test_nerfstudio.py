"""Datasets of nerfstudio."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from builders.datasets.checks import one_sentence, refused
from builders.datasets.folders import llff_rows, poses, save, write, write_llff, write_nerfstudio
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.reading import read_cameras, read_dataset, read_photos


def test_nerfstudio_splits_every_eighth_by_name(tmp_path: Path) -> None:
    dataset = read_dataset(write_nerfstudio(tmp_path), 0.01)
    names = {split: [p.path.stem for p in photos] for split, photos in dataset.photos.items()}
    assert names["test"] == names["val"] == ["f_0", "f_8"]
    assert names["train"] == ["f_1", "f_2", "f_3", "f_4", "f_5", "f_6", "f_7", "f_9"]
    camera = dataset.photos["test"][1].camera
    assert np.allclose(camera.camera_to_world, poses()[8])
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((7, 6.5, 4.26, 2.96))
    assert dataset.kind == "nerfstudio" and dataset.missing == 0 and np.array_equal(dataset.up, [0, 0, 1])
    assert len(read_photos(tmp_path, "train", 0.0)) == 8
    text = (tmp_path / "transforms.json").read_text()
    (tmp_path / "transforms.json").write_text(text.replace("images/", r".\\images\\"))  # as Windows writes them
    assert len(read_photos(tmp_path, "train", 0.0)) == 8


def test_nerfstudio_splits_by_its_lists(tmp_path: Path) -> None:
    lists: dict[str, Any] = {
        "train_filenames": ["./images/f_3.png", "images/f_1.png"],
        "test_filenames": ["images/f_0.png"],
    }
    photos = read_dataset(write_nerfstudio(tmp_path, **lists)).photos
    assert [p.path.stem for p in photos["train"]] == ["f_1", "f_3"]
    assert [p.path.stem for p in photos["test"]] == [p.path.stem for p in photos["val"]] == ["f_0"]
    write_nerfstudio(tmp_path, val_filenames=["images/other.png"])
    refused(tmp_path, "val_filenames", "other.png")


def test_nerfstudio_undoes_its_transform(tmp_path: Path) -> None:
    applied = [[0.0, 1.0, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]]
    found = read_dataset(write_nerfstudio(tmp_path, applied_transform=applied, applied_scale=2)).to_original
    original = np.array([1.0, 2.0, 3.0, 1.0])
    assert np.allclose(found @ [*(2 * (np.array(applied) @ original)), 1], original)
    refused(
        write_nerfstudio(tmp_path, applied_transform=[[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]), "applied_transform"
    )
    refused(
        write_nerfstudio(tmp_path, applied_transform=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0]]), "applied_transform"
    )
    refused(write_nerfstudio(tmp_path, applied_scale=0), "applied_scale")


def test_cameras_need_no_pictures_where_their_size_is_known(tmp_path: Path) -> None:
    folder = write_nerfstudio(tmp_path, pictures=False)
    assert [(c.width, c.height, c.fx) for c in read_cameras(folder, "test", 0.0)] == [(8, 6, 7)] * 2
    refused(folder, "none of the pictures in transforms.json")
    one_sentence(lambda: read_dataset(folder), "none of the pictures in transforms.json")
    one_sentence(lambda: read_cameras(write_nerfstudio(folder, False, w=None), "test", 0.0), "neither a picture")


def test_lenses_of_nerfstudio(tmp_path: Path) -> None:
    write_nerfstudio(tmp_path, k1=0.1, k2=0.2, k3=0.3, k4=0.4, p1=0.5, p2=0.6)
    assert read_photos(tmp_path, "test", 0.0)[0].distortion == Distortion((0.1, 0.2, 0.3, 0.4), (), (0.5, 0.6))
    write_nerfstudio(tmp_path, camera_model="OPENCV_FISHEYE", k1=0.1, p1=0.5)
    assert read_photos(tmp_path, "test", 0.0)[0].distortion == Distortion((0.1, 0, 0, 0), fisheye=True)
    write_nerfstudio(tmp_path, camera_model="SIMPLE_PINHOLE", fl_x=None, fl_y=None, camera_angle_x=0.8)
    photo = read_photos(tmp_path, "test", 0.0)[0]
    assert photo.distortion is None and photo.camera.fy == photo.camera.fx == pytest.approx(4 / math.tan(0.4))
    write_nerfstudio(tmp_path, fl_x=None, fl_y=None, camera_angle_x=0.8, camera_angle_y=0.5)
    assert read_photos(tmp_path, "test", 0.0)[0].camera.fy == pytest.approx(3 / math.tan(0.25))
    refused(write_nerfstudio(tmp_path, camera_model="EQUIRECTANGULAR"), "EQUIRECTANGULAR", "OPENCV")
    refused(write_nerfstudio(tmp_path, ftheta_p0=1.0), "ftheta_p0", "OPENCV")
    refused(write_nerfstudio(tmp_path, camera_model="A\nB"), "A?B")
    refused(write_nerfstudio(tmp_path, fl_x=-3), "focal length -3")
    refused(write_nerfstudio(tmp_path, cx=1e300), "cx")
    refused(write_nerfstudio(tmp_path, k1="much"), "k1: much")


def test_masked_pixels_show_the_background(tmp_path: Path) -> None:
    frame = {"file_path": "f.png", "transform_matrix": np.eye(4).tolist(), "mask_path": "mask.png"}
    write_nerfstudio(tmp_path, False, frames=[frame])
    save(tmp_path / "f.png", value=255)
    refused(tmp_path, "no mask 'mask.png'")
    mask = np.full((6, 8), 255, np.uint8)
    mask[:3, :3] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    photo = read_photos(tmp_path, "test", 0.0)[0]
    rgba, valid = photo.rgba(None)
    assert np.array_equal(valid, mask > 0) and np.array_equal(rgba[..., 3] == 1, valid)
    small, valid = photo.rgba(3)
    assert np.array_equal(~valid, [[True, True, False, False]] * 2 + [[False] * 4])
    assert np.isnan(photo.pixels(3, (0.0, 1.0, 0.0))[~valid]).all() and small[valid].min() == 1
    Image.fromarray(mask[:2]).save(tmp_path / "mask.png")
    refused(tmp_path, "a mask of 8 x 2", "8 x 6")


def test_unusual_poses_name_frame_and_remedy(tmp_path: Path) -> None:
    good = poses()
    for wrong, word in ((np.diag([1, 1, -1, 1]), "left-handed, determinant -1"), (np.diag([2, 2, 2, 1]), "2 2 2 long")):
        frames = [{"file_path": f"images/f_{i}.png", "transform_matrix": p.tolist()} for i, p in enumerate(good)]
        frames[8]["transform_matrix"] = (good[8] @ wrong).tolist()
        refused(write_nerfstudio(tmp_path, frames=frames), "transforms.json: frame images/f_8.png", word, "expected")
        (tmp_path / "transforms.json").unlink()
        refused(write_llff(tmp_path, llff_rows([*good[:8], good[8] @ wrong])), "poses_bounds.npy: frame 8", word)
        (tmp_path / "poses_bounds.npy").unlink()
    pose = np.eye(4)
    pose[1, 3] = np.nan
    refused(write(tmp_path, pose.tolist()), "frame ./r_0", "holds nan", "finite numbers")


NONE: dict[str, Any] = dict.fromkeys(("fl_x", "fl_y", "cx", "cy"))


@pytest.mark.parametrize(
    ("lens", "focal", "center"),
    [
        ({"fl_y": 7.5}, (7.5, 7.5), (4, 3)),
        ({"camera_angle_y": 2 * math.atan2(3, 7.5)}, (7.5, 7.5), (4, 3)),
        ({"x_fov": math.degrees(2 * math.atan2(4, 7.5))}, (7.5, 7.5), (4, 3)),
        ({"y_fov": math.degrees(2 * math.atan2(3, 7.5))}, (7.5, 7.5), (4, 3)),
        (
            {"x_fov": math.degrees(2 * math.atan2(4, 7)), "y_fov": math.degrees(2 * math.atan2(3, 8))},
            (7, 8),
            (4, 3),
        ),
        ({"fl_x": 7.5, "x_fov": 20}, (7.5, 7.5), (4, 3)),
        ({"K": [[7, 0, 4.5], [0, 8, 3.25], [0, 0, 1]]}, (7, 8), (4.5, 3.25)),
        ({"K": [7, 0, 4.5, 0, 8, 3.25, 0, 0, 1]}, (7, 8), (4.5, 3.25)),
        ({"intrinsics": [[7, 0, 4.5, 0], [0, 8, 3.25, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}, (7, 8), (4.5, 3.25)),
        ({"intrinsic_matrix": [7, 0, 4.5, 0, 0, 8, 3.25, 0, 0, 0, 1, 0]}, (7, 8), (4.5, 3.25)),
        ({"fl_x": 7.5, "cx": 4.5, "K": [[1, 0, 1], [0, 1, 1], [0, 0, 1]]}, (7.5, 7.5), (4.5, 3)),
    ],
)
@pytest.mark.parametrize("each", [True, False])
def test_intrinsics_are_known_by_all_their_names(
    tmp_path: Path, lens: dict[str, Any], focal: tuple[float, float], center: tuple[float, float], each: bool
) -> None:
    write_nerfstudio(tmp_path, **NONE | ({} if each else lens))
    file = tmp_path / "transforms.json"
    content = json.loads(file.read_text())
    if each:
        content["frames"] = [frame | lens for frame in content["frames"]]
    file.write_text("\ufeff" + json.dumps(content), "utf-8")  # with a byte order mark, as Windows' editors write it
    camera = read_dataset(tmp_path, 0.0).photos["train"][0].camera
    assert (camera.fx, camera.fy) == pytest.approx(focal) and (camera.cx, camera.cy) == pytest.approx(center)


@pytest.mark.parametrize(
    "lens",
    [
        {"x_fov": 180},
        {"x_fov": -20},
        {"y_fov": "wide"},
        {"K": [[7, 0], [0, 8]]},
        {"K": [[7, 0, 4], [0, "8", 3], [0, 0, 1]]},
        {"K": 7},
        {"K": [[7, 0, 4], [0, 8], [0, 0, 1]]},
        {"K": []},
    ],
)
def test_intrinsics_that_are_none_are_one_sentence(tmp_path: Path, lens: dict[str, Any]) -> None:
    refused(write_nerfstudio(tmp_path, **NONE | lens), next(iter(lens)))
