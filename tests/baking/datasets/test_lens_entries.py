"""How the JSON of datasets spells a lens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders.datasets.checks import every_photo, refused
from builders.datasets.folders import write_nerfstudio
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.reading import read_dataset

FISHEYE = {"camera_model": "OPENCV_FISHEYE"}
FOUR = Distortion((0.1, 0.2, 0, 0), (), (0.3, 0.4))
FIVE = Distortion((0.1, 0.2, 0.5, 0), (), (0.3, 0.4))
EIGHT = Distortion((0.1, 0.2, 0.5, 0), (0.6, 0.7, 0.8), (0.3, 0.4))
SIX = Distortion((0.1, 0.2, 0.3, 0.4), (), (0.5, 0.6))
ROUND = Distortion((0.1, 0.2, 0.3, 0.4), fisheye=True)


def placed(folder: Path, lens: dict[str, Any], each: bool, **shared: Any) -> Path:
    write_nerfstudio(folder, **shared | ({} if each else lens))
    if each:
        file = folder / "transforms.json"
        content = json.loads(file.read_text())
        content["frames"] = [frame | lens for frame in content["frames"]]
        file.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("lens", "found"),
    [
        ({"distortion_params": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}, SIX),
        ({"distortion_params": [0.1, 0.2, 0.3, 0.4]}, FOUR),
        ({"distortion": [0.1, 0.2, 0.3, 0.4]}, FOUR),
        ({"distortion_coefficients": [[0.1, 0.2, 0.3, 0.4, 0.5]]}, FIVE),
        ({"dist": [[0.1], [0.2], [0.3], [0.4], [0.5]]}, FIVE),
        ({"D": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]}, EIGHT),
        ({"distCoeffs": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0, 0, 0, 0, 0, 0]}, EIGHT),
        ({"dist_coeffs": {"k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4, "k3": 0.5}}, FIVE),
        ({"K1": 0.1, "k_2": 0.2, "P1": 0.3, "p2": 0.4}, FOUR),
        ({"k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4, "k3": 0.5, "k4": 0.6, "k5": 0.7, "k6": 0.8}, EIGHT),
        ({"radial_distortion": [0.1, 0.2, 0.5], "tangential_distortion": [0.3, 0.4]}, FIVE),
        (FISHEYE | {"distortion_params": [0.1, 0.2, 0.3, 0.4, 0, 0]}, ROUND),
        (FISHEYE | {"D": [[0.1, 0.2, 0.3, 0.4]]}, ROUND),
        ({"camera_model": "fisheye", "distortion": [0.1, 0.2, 0.3, 0.4]}, ROUND),
        ({"distortion": []}, None),
        ({"distortion": "none"}, None),
        ({"D": [0, 0, 0, 0, 0]}, None),
    ],
)
@pytest.mark.parametrize("each", [True, False])
def test_distortion_is_known_by_all_its_names(
    tmp_path: Path, lens: dict[str, Any], found: Distortion | None, each: bool
) -> None:
    photo = every_photo(read_dataset(placed(tmp_path, lens, each)))[0]
    assert photo.distortion == found


def test_a_frame_s_own_distortion_replaces_the_shared_one(tmp_path: Path) -> None:
    shared = {"distortion_params": [9, 9, 9, 9, 9, 9]}
    folder = placed(tmp_path, {"k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4}, True, **shared)
    assert every_photo(read_dataset(folder))[0].distortion == FOUR
    folder = placed(tmp_path, {"D": [0.1, 0.2, 0.3, 0.4]}, True, k1=9.0, k3=9.0)
    assert every_photo(read_dataset(folder))[0].distortion == FOUR


@pytest.mark.parametrize(
    "lens",
    [
        {"distortion_params": [0.1] * 7},
        {"distortion": [0.1] * 15},
        {"dist_coeffs": [0.1, "0.2", 0, 0]},
        {"D": [[0.1, 0.2], [0.3, [0.4]]]},
        {"D": [0.1] * 14},
        FISHEYE | {"D": [0.1] * 5},
        {"distortion": {"k1": "much"}},
        {"radial_distortion": 0.1},
        {"distortion": [10**400]},
    ],
)
@pytest.mark.parametrize("each", [True, False])
def test_distortion_that_is_none_is_one_sentence(tmp_path: Path, lens: dict[str, Any], each: bool) -> None:
    refused(placed(tmp_path, lens, each), "expected")


@pytest.mark.parametrize(
    ("lens", "focal", "center"),
    [
        ({"fx": 7.5, "fy": 8, "cx": 4.5, "cy": 3.25}, (7.5, 8), (4.5, 3.25)),
        ({"focal_x": 15, "focal_y": 16, "cx": 9, "cy": 6.5, "width": 16, "height": 12}, (7.5, 8), (4.5, 3.25)),
        ({"intrinsics": [7.5, 8, 4.5, 3.25]}, (7.5, 8), (4.5, 3.25)),
        ({"intrinsics": {"fx": 7.5, "fy": 8, "ppx": 4.5, "ppy": 3.25}}, (7.5, 8), (4.5, 3.25)),
        ({"camera_angle_x": 0.8, "fx": 1000}, (9.461, 9.461), (4, 3)),  # what was understood before stays so
    ],
)
@pytest.mark.parametrize("each", [True, False])
def test_other_names_of_intrinsics(
    tmp_path: Path, lens: dict[str, Any], focal: tuple[float, float], center: tuple[float, float], each: bool
) -> None:
    absent: dict[str, Any] = dict.fromkeys(("fl_x", "fl_y", "cx", "cy", "w", "h"))
    camera = every_photo(read_dataset(placed(tmp_path, lens, each, **absent | ({} if each else lens))))[0].camera
    assert (camera.fx, camera.fy) == pytest.approx(focal, abs=1e-3)
    assert (camera.cx, camera.cy) == pytest.approx(center)
