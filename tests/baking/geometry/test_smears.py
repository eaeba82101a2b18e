"""White matter that training on white leaves around thin legs goes; white parts of the object stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from builders.fields.seat import FOOT, FOV, Seat, teacher_of, truth, write_photos
from duplex.app.core.arrays import Array
from duplex.app.core.metrics import psnr
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import Teacher
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.geometry.object_density import object_density
from duplex.baking.geometry.probes import probes_of
from duplex.baking.geometry.smears import without_smears
from duplex.baking.rig import Rig
from duplex.baking.training.config import TrainConfig
from duplex.baking.training.job import TrainingWorkspace, TrainJob, train
from duplex.baking.training.mlp import MlpConfig
from duplex.baking.training.scene import Given
from duplex.baking.training.tensorf_config import TensorfConfig
from duplex.baking.training.trainer import TrainingConfig

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("one_thread")]
CONFIG = DensityConfig(grid=96, scan=40)
SMEARED = 60.0
DIRECTIONS = ((1.0, 0.6, 0.5), (-0.5, 1.0, 1.2))


def cleaned(teacher: Teacher) -> DensityGrid:
    return object_density(teacher, CONFIG, Rig.from_scene(teacher.scene).evenly(16, 48))


def views() -> list[Camera]:
    units = [np.array(d) / np.linalg.norm(d) for d in DIRECTIONS]
    return [Camera.from_fov(look_at(4 * d, np.zeros(3), np.array([0, 0, 1.0])), 56, 56, FOV) for d in units]


def drawn(teacher: Teacher, grid: DensityGrid) -> Array:
    renderer = FastRenderer(teacher, grid)
    return np.stack([renderer.render(camera).numpy() for camera in views()])


def on(rgba: Array, background: float) -> Array:
    return rgba[..., :3] + (1 - rgba[..., 3:]) * background


@pytest.mark.parametrize("white", [False, True])
def test_smears_at_thin_legs_go_and_white_parts_stay(white: bool) -> None:
    teacher = teacher_of(Seat(white=white, smears=SMEARED))
    true = np.stack([truth(Seat(white=white), camera) for camera in views()])
    raw = drawn(teacher, sample_density(teacher, None, CONFIG))
    found = drawn(teacher, cleaned(teacher))
    assert np.abs(raw - true)[..., 3].mean() > 0.015
    assert np.abs(found - true)[..., 3].mean() < 0.002
    assert psnr(on(found, 1), on(raw, 1)) > 45  # on the training background nothing changes


@pytest.mark.slow
def test_a_field_that_was_trained_on_white_photos_comes_clean(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", Seat(), 80, 128, alpha=False)
    file = tmp_path / "seat.ckpt"
    voxels = TensorfConfig(voxels=128, first_voxels=64, batch=3000)
    training = TrainConfig(TrainingConfig(size=128, steps=2500), voxels, MlpConfig())
    job = TrainJob(read_dataset(photos), "tensorf", training, Given(), 0, torch.device("cpu"))
    with TrainingWorkspace(file, job.fingerprint(), False, False) as workspace:
        train(job, file, workspace)
    teacher = load_teacher(file)
    true = np.stack([truth(Seat(), camera) for camera in views()])
    found = drawn(teacher, cleaned(teacher))
    assert np.abs(found - true)[..., 3].mean() < 0.01
    assert psnr(on(found, 1), on(true, 1)) > 28


def test_a_clean_object_is_left_alone() -> None:
    assert cleaned(teacher_of(Seat(white=True))).cleared is None


def test_on_another_background_white_matter_is_the_object() -> None:
    teacher = teacher_of(Seat(smears=SMEARED))
    assert cleaned(replace(teacher, scene=replace(teacher.scene, background=(0.0, 0.0, 0.0)))).cleared is None


def test_what_would_show_through_a_hole_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stuff of the seat shows where its white skin is cleared; so the skin is no smear, however white it is."""
    field = Seat()
    color = field.color

    def with_white_skin(latent: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        skin = (field.solid(latent) > -0.03) & (latent[:, 2] > FOOT)
        return torch.where(skin[:, None], 1.0, color(latent, directions))

    monkeypatch.setattr(field, "color", with_white_skin)
    teacher = teacher_of(field)
    grid = sample_density(teacher, None, CONFIG)
    probes = probes_of(teacher, grid, Rig.from_scene(teacher.scene).evenly(16, 48))
    kept = without_smears(teacher, grid, probes)
    middle = Camera.from_fov(look_at(np.array([0, 0.01, 4]), np.zeros(3), np.array([0, 0, 1.0])), 24, 24, 0.15)
    assert FastRenderer(teacher, kept).render(middle)[..., 3].min() > 0.99
