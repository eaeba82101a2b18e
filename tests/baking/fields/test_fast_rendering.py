"""The fast renderer against the standard one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from builders.scenes.scenery import BALL, NDC, UP, teacher_in, traced
from duplex.app.core.metrics import psnr
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields import rendering
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.spaces import Contracted, Ndc, Space
from duplex.baking.geometry.density import DensityConfig, sample_density


@pytest.mark.system
def test_fast_renderer_agrees_with_the_standard_one(octahedron: Path) -> None:
    teacher = load_teacher(octahedron)
    grid = sample_density(teacher, None, DensityConfig(grid=96, scan=40))
    camera = Camera.from_fov(look_at(np.array([2.0, 3.0, 1.5]), np.zeros(3), np.array([0, 0, 1.0])), 64, 64, 0.6)
    slow, fast = rendering.render(teacher, camera), FastRenderer(teacher, grid).render(camera)
    assert psnr((slow[..., :3] + 1 - slow[..., 3:]).numpy(), (fast[..., :3] + 1 - fast[..., 3:]).numpy()) > 38
    assert float((slow[..., 3] - fast[..., 3]).abs().mean()) < 0.01


@dataclass
class WhiteFog:
    """A ball of matter so thin that no sample of it counts for much."""

    sigma: float

    def density(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.sigma * (points.norm(dim=-1) < 1).float(), points

    def color(self, latent: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(latent)


@pytest.mark.parametrize("sub_steps", [2, 8])
def test_thin_fog_is_as_bright_as_the_standard_renderer_draws_it(octahedron: Path, sub_steps: int) -> None:
    fog = WhiteFog(0.9)
    teacher = replace(load_teacher(octahedron), coarse=fog, fine=fog)
    grid = sample_density(teacher, None, DensityConfig(grid=160, scan=40))
    origin, direction = torch.tensor([[4.0, 0.01, 0.0]]), torch.tensor([[-1.0, 0.0, 0.0]])
    found = FastRenderer(teacher, grid, sub_steps).render_rays(origin, direction)[0]
    assert float(found[3]) == pytest.approx(1 - math.exp(-1.8), abs=0.01)
    assert torch.allclose(found[:3], found[3].expand(3), atol=2e-3), "faint matter is drawn too dark"


@pytest.mark.parametrize("scene", ["lego", *(pytest.param(x, marks=pytest.mark.slow) for x in ("chair", "hotdog"))])
def test_fast_renderer_agrees_on_real_checkpoints(data: Path, scene: str) -> None:
    teacher = load_teacher(data / "checkpoints" / "nerf-pytorch-flexible" / scene)
    grid = sample_density(teacher, None, DensityConfig())
    camera = Camera.from_fov(look_at(np.array([2.3, -2.3, 2.3]), np.zeros(3), np.array([0, 0, 1.0])), 80, 80, 0.69)
    slow, fast = rendering.render(teacher, camera), FastRenderer(teacher, grid).render(camera)
    assert psnr((slow[..., :3] + 1 - slow[..., 3:]).numpy(), (fast[..., :3] + 1 - fast[..., 3:]).numpy()) > 38


@pytest.mark.parametrize("space", [NDC, Contracted()], ids=["ndc", "contracted"])
def test_renderers_agree_on_what_the_world_looks_like(space: Space) -> None:
    ball = BALL if isinstance(space, Ndc) else np.array([0.0, 0.1, 0.0])
    eye = np.array([0.2, 0.1, 0.3]) if isinstance(space, Ndc) else np.array([0.5, 0.4, 2.5])
    teacher = teacher_in(space, ball)
    grid = sample_density(teacher, None, DensityConfig(grid=112, scan=40))
    camera = Camera.from_fov(look_at(eye, ball, UP), 40, 40, 0.8)
    slow, fast = rendering.render(teacher, camera), FastRenderer(teacher, grid).render(camera)
    assert float(slow[..., 3].mean()) > 0.99  # the wall is everywhere
    expected = traced(camera, ball)
    assert psnr(expected, slow[..., :3].numpy()) > 22
    assert psnr(expected, fast[..., :3].numpy()) > 22
