"""The up axis that cameras show which go around."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from builders.datasets.colmap import write_posed_colmap
from builders.datasets.folders import at, llff_rows, ring, rolled, turned, write_cameras, write_llff
from duplex.app.scene.camera import look_at
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.datasets.up_axis import is_forward_facing, up_note, up_shown_by

Y, Z = at(0, 1, 0), at(0, 0, 1)
Writer = Callable[[Path, np.ndarray], Path]
WRITERS: dict[str, Writer] = {
    "blender": lambda folder, cameras: write_cameras(folder, cameras, "transforms_train.json"),
    "nerfstudio": write_cameras,
    "llff": lambda folder, cameras: write_llff(folder, llff_rows(cameras)),
    "colmap": write_posed_colmap,
}


def sphere(count: int = 60, lowest: float = -1) -> np.ndarray:
    rng = np.random.default_rng(3)
    eyes = rng.normal(size=(4 * count, 3))
    eyes /= np.linalg.norm(eyes, axis=1)[:, None]
    return np.stack([look_at(3 * eye, at(0, 0, 0), Z) for eye in eyes if eye[2] > lowest][:count])


RANDOM = np.random.default_rng(0).uniform(0, 360, 60).tolist()
SHAKY = np.random.default_rng(0).normal(0, 5, 60).tolist()


@pytest.mark.parametrize(
    "cameras",
    [
        ring(6, 0),
        ring(12, 20),
        ring(40, 45),
        ring(24, -20),
        ring(60, 20)[:30],  # half of the way around
        ring(60, 10, SHAKY),
        ring(40, 20, (0, 0, 90)),  # every third one a portrait
        ring(40, 0, (0, -90)),
        ring(40, 20, (90,)),
        ring(60, 20, RANDOM),
        sphere(lowest=0),
        sphere(),
        rolled(sphere(), (0, 0, 0, 180)),
    ],
)
@pytest.mark.parametrize("angles", [(0, 0, 0), (70, 0, 0), (100, -50, 30)])
def test_cameras_that_go_around_show_up(cameras: np.ndarray, angles: tuple[float, float, float]) -> None:
    poses, up = turned(cameras, *angles)
    shown = up_shown_by(poses, Z)
    assert shown is not None and np.linalg.norm(shown) == pytest.approx(1) and shown @ up > np.cos(np.radians(4))


def test_as_many_cameras_upside_down_leave_the_side_to_the_format() -> None:
    poses, up = turned(rolled(sphere(), (0, 180)), 40, 10, 0)
    for usual in (Z, -Z):
        shown = up_shown_by(poses, usual)
        assert shown is not None and abs(shown @ up) > np.cos(np.radians(2)) and shown @ usual > 0


def test_cameras_that_agree_on_nothing_show_nothing() -> None:
    over = [look_at(3 * at(0, np.sin(a), np.cos(a)), at(0, 0, 0), Y) for a in np.linspace(-1.4, 1.4, 30)]
    assert up_shown_by(np.stack(over), Z) is None  # an arc over the top is no ring of portraits
    assert up_shown_by(rolled(sphere(), RANDOM), Z) is None
    assert up_shown_by(ring(3), Z) is None
    assert up_shown_by(np.stack([np.eye(4)] * 20), Z) is None


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("angles", [(60, 0, 0), (0, 100, 0), (170, 20, 0)])
def test_datasets_of_every_kind_have_the_shown_up(
    tmp_path: Path, kind: str, angles: tuple[float, float, float]
) -> None:
    poses, up = turned(ring(12, 25, (0, 0, 0, 90)), *angles)
    dataset = read_dataset(WRITERS[kind](tmp_path, poses))
    found = dataset.to_original[:3, :3] @ dataset.up if kind == "llff" else dataset.up
    assert dataset.kind == kind and found @ up / np.linalg.norm(found) > np.cos(np.radians(2))


@pytest.mark.parametrize("kind", ["blender", "nerfstudio"])
def test_the_usual_up_is_kept_where_it_is_about_right(tmp_path: Path, kind: str) -> None:
    dataset = read_dataset(WRITERS[kind](tmp_path, turned(ring(), 0, 9, 0)[0]))
    assert np.array_equal(dataset.up, Z) and dataset.shown_up is not None


@pytest.mark.parametrize("kind", WRITERS)
def test_forward_facing_cameras_keep_the_usual_up(tmp_path: Path, kind: str) -> None:
    eyes = [at(x, y, 3) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    poses = np.stack([look_at(eye, at(0, 0, 0), at(0.5, 1, 0)) for eye in eyes])
    dataset = read_dataset(WRITERS[kind](tmp_path, poses))
    assert dataset.forward_facing and dataset.shown_up is None and dataset.up is dataset.usual_up


def test_the_note_names_both_axes() -> None:
    tilted = Rotation.from_rotvec([-80, 0, 0], degrees=True).apply(Z)
    assert up_note(tilted, Z) == (
        "note: up is 0 0.98 0.17 by the cameras, not +z as its format has it: --up says otherwise"
    )
    assert "up is -y by" in up_note(-Y, Z)


@pytest.mark.parametrize("elevation", [55, 62, 72])
def test_a_ring_that_looks_down_steeply_goes_around(elevation: float) -> None:
    poses, up = turned(ring(40, elevation), 80, 30, -20)
    assert np.linalg.norm(poses[:, :3, 2].mean(0)) > 0.8
    shown = up_shown_by(poses, Z)
    assert not is_forward_facing(poses) and shown is not None and shown @ up > np.cos(np.radians(10))


def test_cameras_side_by_side_face_forward_however_they_are_held() -> None:
    rng = np.random.default_rng(0)
    eyes = rng.uniform(-1.5, 1.5, (40, 3)) * (1, 1, 0.1) + (0, 0, 4)
    cameras = np.stack([look_at(eye, at(0, 0, 0), Y) for eye in eyes])
    for angles in ((0,), SHAKY, (0, 0, 90), (0, 90, 180, -90)):
        assert is_forward_facing(rolled(cameras, angles))
    assert is_forward_facing(ring(40, 85)) and not is_forward_facing(ring(40, 20))
