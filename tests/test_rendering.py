import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import synthetic
import torch

from duplex.app.core.metrics import psnr
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields import rendering
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import Overrides
from duplex.baking.geometry.density import DensityConfig, sample_density


def test_weights_match_the_sum_written_out() -> None:
    rng = np.random.default_rng(0)
    sigma, t = rng.uniform(0, 3, (5, 7)), np.sort(rng.uniform(2, 6, (5, 7)), -1)
    length = rng.uniform(1, 2, (5, 1))
    found = rendering.volume_weights(*(torch.from_numpy(x) for x in (sigma, t, length))).numpy()
    for ray in range(5):
        light = 1.0
        for i in range(7):
            delta = (t[ray, i + 1] - t[ray, i] if i < 6 else 1e10) * length[ray, 0]
            alpha = 1 - math.exp(-sigma[ray, i] * delta)
            assert found[ray, i] == pytest.approx(light * alpha, abs=1e-8)
            light *= 1 - alpha


def test_samples_follow_the_weights() -> None:
    edges = torch.linspace(0, 4, 5)[None]
    samples = rendering.sample_pdf(edges, torch.tensor([[0.0, 1.0, 0.0, 3.0]]), 4001)[0]
    assert ((samples > 1) & (samples < 2)).float().mean() == pytest.approx(0.25, abs=0.01)
    assert (samples > 3).float().mean() == pytest.approx(0.75, abs=0.01)
    assert (samples[1:] >= samples[:-1]).all()


def test_a_ray_through_the_octahedron_has_its_surface_color(octahedron: Path) -> None:
    teacher = load_teacher(octahedron)
    origin, direction = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([[-1.0, 0.0, 0.0]])
    rgba = rendering.render_rays(teacher, origin, direction)[0]
    entry = torch.tensor([[0.85, 0.0, 0.0]])  # light comes from just below the surface
    assert rgba[3] == pytest.approx(1, abs=1e-3)
    assert torch.allclose(rgba[:3], synthetic.color(entry, direction)[0], atol=0.03)
    miss = rendering.render_rays(teacher, origin, torch.tensor([[-1.0, 0.5, 0.0]]))[0]
    assert miss.abs().max() == 0


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


@pytest.mark.parametrize("scene", ["chair", "lego", "hotdog"])
def test_fast_renderer_agrees_on_real_checkpoints(data: Path, scene: str) -> None:
    teacher = load_teacher(data / "checkpoints" / "nerf-pytorch-flexible" / scene)
    grid = sample_density(teacher, None, DensityConfig())
    camera = Camera.from_fov(look_at(np.array([2.3, -2.3, 2.3]), np.zeros(3), np.array([0, 0, 1.0])), 80, 80, 0.69)
    slow, fast = rendering.render(teacher, camera), FastRenderer(teacher, grid).render(camera)
    assert psnr((slow[..., :3] + 1 - slow[..., 3:]).numpy(), (fast[..., :3] + 1 - fast[..., 3:]).numpy()) > 38


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


def test_rays_pass_through_pixel_centres() -> None:
    camera = replace(Camera.from_fov(np.eye(4), 4, 2, math.pi / 2), cx=2.5)
    rays = camera.ray_directions()
    assert rays.shape == (2, 4, 3)
    assert np.allclose(rays[0, 0], [(0.5 - 2.5) / 1, 0.5, -1])
