"""Photos with alpha decide what is the object's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from builders.fields.seat import FOOT, Seat, teacher_of, truth, write_photos
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.geometry.photo_hull import AlphaPhoto, alphas_of, without_transparent
from duplex.baking.rig import Rig

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def grid() -> DensityGrid:
    return sample_density(teacher_of(Seat(smears=60.0)), None, DensityConfig(grid=80, scan=40))


@pytest.fixture(scope="module")
def alphas() -> list[AlphaPhoto]:
    cameras = Rig.from_scene(teacher_of(Seat()).scene).evenly(12, 96)
    empty = [ndimage.binary_erosion(truth(Seat(), x)[..., 3] < 1e-3, np.ones((3, 3)), border_value=1) for x in cameras]
    return [AlphaPhoto(camera, mask) for camera, mask in zip(cameras, empty, strict=True)]


def left(grid: DensityGrid) -> tuple[int, int]:
    """Numbers of opaque samples above the floor, and on it."""
    opaque = grid.opacity() > 0.2
    height = grid.low[2] + grid.step * np.arange(opaque.shape[2])
    return int(opaque[:, :, height > FOOT].sum()), int(opaque[:, :, height < FOOT].sum())


def test_matter_on_transparent_pixels_goes(grid: DensityGrid, alphas: list[AlphaPhoto]) -> None:
    before, after = left(grid), left(without_transparent(grid, alphas))
    assert after[0] > 0.97 * before[0]
    assert after[1] < 0.2 * before[1]  # what lies under the legs is hidden in every photo


def test_one_photo_with_a_wrong_pose_clears_nothing_of_the_object(grid: DensityGrid, alphas: list[AlphaPhoto]) -> None:
    pose = alphas[3].camera.camera_to_world.copy()
    pose[:3, 3] += 0.2
    moved = replace(alphas[3], camera=replace(alphas[3].camera, camera_to_world=pose))
    right = [*alphas[:3], moved, *alphas[4:]]
    assert left(without_transparent(grid, right))[0] > 0.97 * left(grid)[0]


def test_without_photos_that_show_the_scene_nothing_goes(grid: DensityGrid, alphas: list[AlphaPhoto]) -> None:
    solid = [replace(alpha, empty=np.zeros_like(alpha.empty)) for alpha in alphas]
    assert without_transparent(grid, solid) is grid


@pytest.mark.parametrize("alpha", [True, False])
def test_only_photos_with_alpha_are_taken(alpha: bool, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "seat", Seat(), 2, 48, alpha=alpha)
    found = alphas_of(read_dataset(folder).photos["train"])
    assert len(found) == (2 if alpha else 0)
    assert all(0.5 < photo.empty.mean() < 0.95 for photo in found)
    assert alphas_of(()) == []
