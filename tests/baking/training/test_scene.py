"""What the cameras tell of the scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders.training import job_of, trainer_of
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.datasets.photos import Photo
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.training.scene import Given, bounds_of, scene_of

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_box_of_wide_photos_is_wide(photos_folder: Path) -> None:
    dataset = replace(read_dataset(photos_folder), near=0.1, far=10.0)
    wide = Camera.from_fov(look_at(np.zeros(3), np.array([0, 0, -1.0]), np.array([0, 1.0, 0])), 160, 90, 0.7)
    photos = [Photo(wide, photos_folder / "none.png")]
    low, high = bounds_of(dataset, photos, 0.1, 10.0)
    assert (high[0] - low[0]) / (high[1] - low[1]) == pytest.approx(160 / 90, rel=0.1)


@pytest.mark.parametrize("middle", [0.0, 100.0])
def test_which_side_cameras_saw_does_not_depend_on_where_the_origin_is(photos_folder: Path, middle: float) -> None:
    at, rng = np.array([middle, 0, 0]), np.random.default_rng(0)
    directions = rng.normal(size=(40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    dataset, pixels = replace(read_dataset(photos_folder), near=1.0, far=5.0), trainer_of(job_of(photos_folder, 1))
    for side, expected in ((directions, False), (np.abs(directions), True)):
        cameras = [Camera.from_fov(look_at(at + 3 * d, at, np.array([0, 0, 1.0])), 20, 20, 0.7) for d in side]
        photos = [Photo(camera, photos_folder / "none.png") for camera in cameras]
        given = Given(background=(1, 1, 1), bounds=np.stack([at - 1, at + 1]))
        scene = scene_of(dataset, photos, pixels.model.photos, given)  # type: ignore[attr-defined]
        assert scene.hemisphere is expected
