"""The standard renderer on real checkpoints, against the figures of their authors."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from duplex.app.core.metrics import psnr
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields import rendering
from duplex.baking.fields.field import Overrides

PIXEL_SEED = 0
FIGURES = [
    ("chair", "chair", 0, 32.7),
    ("chair", "chair", 50, 27.6),
    ("chair", "chair", 100, 31.7),
    ("chair", "chair", 150, 27.2),
    ("lego", "lego_400", 0, 27.7),
]


@pytest.mark.parametrize(("scene", "folder", "view", "expected"), FIGURES)
def test_standard_renderer_reaches_the_published_figures(
    data: Path, scene: str, folder: str, view: int, expected: float
) -> None:
    """Against test photos box-filtered to 400 x 400 on white, over 5,000 random pixels, within 0.5 dB."""
    from duplex.baking.datasets.reading import read_photos

    teacher = load_teacher(data / "checkpoints" / "nerf-pytorch-flexible" / scene)
    photos = read_photos(data / "nerf_synthetic" / folder, "test", teacher.scene.principal_shift)
    photo = next(p for p in photos if p.path.stem == f"r_{view}")
    wanted = photo.pixels(400, (1.0, 1.0, 1.0)).reshape(-1, 3)
    chosen = np.random.default_rng(PIXEL_SEED).choice(160000, 5000, replace=False)
    origins, directions = rendering.rays_of(photo.camera.resized(400, 400), teacher.device)
    rgba = rendering.render_rays(teacher, origins[chosen], directions[chosen]).numpy()
    assert psnr(rgba[:, :3] + 1 - rgba[:, 3:], wanted[chosen]) > expected - 0.5


@pytest.mark.parametrize(("view", "expected"), [(0, 22.9), (1, 24.1)])
def test_a_forward_facing_teacher_reaches_the_published_figures(data: Path, view: int, expected: float) -> None:
    """The original code's fern, in NDC, against its held-out photos over 700 random pixels, within 0.5 dB."""
    from duplex.baking.datasets.reading import read_photos

    folder = data / "llff" / "fern"
    overrides = Overrides(camera=read_photos(folder, "train", 0.0)[0].camera)
    teacher = load_teacher(data / "checkpoints" / "bmild-fern", overrides=overrides)
    photo = read_photos(folder, "test", teacher.scene.principal_shift)[view]
    wanted = photo.pixels(378, (0.0, 0.0, 0.0)).reshape(-1, 3)
    chosen = np.random.default_rng(PIXEL_SEED).choice(len(wanted), 700, replace=False)
    origins, directions = rendering.rays_of(photo.camera, teacher.device)
    rgba = rendering.render_rays(teacher, origins[chosen], directions[chosen]).numpy()
    assert psnr(rgba[:, :3], wanted[chosen]) > expected - 0.5


def test_dataset_camera_is_shifted_by_half_a_training_pixel(data: Path) -> None:
    """The original code shoots rays through pixel corners, so the principal point lies half a pixel off."""
    from duplex.baking.datasets.reading import read_photos

    folder = data / "nerf_synthetic" / "chair"
    camera = read_photos(folder, "test", 0.5 / 400)[0].camera.resized(400, 400)
    assert (camera.cx, camera.cy) == (200.5, 200.5)
    frame = json.loads((folder / "transforms_test.json").read_text())
    assert camera.fx == pytest.approx(200 / math.tan(frame["camera_angle_x"] / 2))
