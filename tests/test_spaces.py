"""Fields that do not live in the world: normalised device coordinates and contracted space."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.orbits import scene_orbit
from duplex.baking.config import BakeConfig
from duplex.baking.fields import rendering, spaces
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import RadianceField, SceneInfo, Teacher
from duplex.baking.fields.spaces import Contracted, Ndc, World
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.geometry.shells import extract_shells, in_world
from duplex.baking.job import BakeJob
from duplex.baking.pipeline import bake
from duplex.baking.rig import Rig
from duplex.baking.runtime.workspace import Workspace

UP = np.array([0, 1.0, 0])
NDC = Ndc(1.6, 2.0)
BALL, RADIUS, FAR_WALL = np.array([0.2, -0.1, -4.0]), 1.0, 12.0


class Scenery(RadianceField):
    """An opaque ball before a wall that is a sphere around the origin, known in the world."""

    def __init__(self, space: World, ball: Array):
        super().__init__()
        self.space, self.ball = space, torch.from_numpy(ball).float()

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        world = torch.from_numpy(self.space.unwarp(points.numpy())).float()
        inside = RADIUS - (world - self.ball).norm(dim=-1)
        behind = world.norm(dim=-1) - FAR_WALL
        sharpness = 2e4 if isinstance(self.space, Ndc) else 200  # a unit of NDC is long out there
        return sharpness * torch.relu(torch.maximum(5 * inside, behind)).clamp(max=0.2), world

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:
        return 0.5 + 0.4 * torch.sin(0.8 * latent)


def teacher_in(space: World, ball: Array) -> Teacher:
    field = Scenery(space, ball)
    ndc = isinstance(space, Ndc)
    scene = SceneInfo(
        near=0.0 if ndc else 0.05,
        far=1.0 if ndc else 100.0,
        background=(0.0, 0.0, 0.0),
        coarse_samples=256,
        up=(0.0, 1.0, 0.0),
        hemisphere=False,
        space=space,
        bounds=((-1.5, -1.5, -1.0), (1.5, 1.5, 1.0)) if ndc else None,
    )
    return Teacher(field, field, scene, "made by hand", Path("none"), "")


def world_points(n: int = 300) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(n, 3, generator=generator, dtype=torch.float64) * 2 - 1
    return points * torch.tensor([3.0, 3.0, 0.0]) - torch.tensor([0, 0, 1.0]) * (
        1 + 40 * torch.rand(n, 1, generator=generator)
    )


def test_ndc_rays_pass_through_the_projections_of_their_points() -> None:
    points = world_points()
    eyes = torch.zeros_like(points) + torch.tensor([0.3, -0.2, 0.1])
    start, step = NDC.rays(eyes, points - eyes)
    x, y, z = points.unbind(-1)
    projected = torch.stack([-NDC.x * x / z, -NDC.y * y / z, 1 + 2 * NDC.near / z], -1)  # NeRF, appendix C, far = inf
    share = ((projected - start) / step)[:, 2:]
    assert torch.allclose(start + share * step, projected, atol=1e-9)
    assert torch.allclose(start[:, 2], torch.full_like(z, -1.0))  # rays begin on the near plane
    assert torch.allclose((start + step)[:, 2], torch.ones_like(z))  # and end at infinity
    assert torch.allclose(NDC.travelled(eyes, points - eyes, share)[:, 0], (points - eyes).norm(dim=-1), rtol=1e-6)
    assert np.allclose(NDC.unwarp(projected.numpy()), points.numpy(), rtol=1e-9)


def test_contraction_is_that_of_the_paper_and_back() -> None:
    points = world_points() * 0.2
    for order, norm in ((2.0, points.norm(dim=-1)), (math.inf, points.abs().amax(-1))):
        space = Contracted(order)
        warped = space.warp(points)
        inside = norm <= 1
        assert inside.any() and (~inside).any()
        assert torch.equal(warped[inside], points[inside])
        outside = (2 - 1 / norm)[:, None] * points / norm[:, None]
        assert torch.allclose(warped[~inside], outside[~inside])
        assert np.allclose(space.unwarp(warped.numpy()), points.numpy())
        further = space.warp(points * (1 + 1e-6))
        numeric = (points * 1e-6).norm(dim=-1) / (further - warped).norm(dim=-1)
        assert np.allclose(space.stretch(warped.numpy()), numeric, rtol=1e-3)
    steps = Contracted().distances(0.1, 50.0, 64)
    assert steps[0] == pytest.approx(0.1) and steps[-1] == pytest.approx(50, rel=1e-3) and (steps.diff() > 0).all()


@pytest.mark.parametrize("space", [NDC, Contracted()], ids=["ndc", "contracted"])
def test_renderers_agree_on_what_the_world_looks_like(space: World) -> None:
    ball = BALL if isinstance(space, Ndc) else np.array([0.0, 0.1, 0.0])
    eye = np.array([0.2, 0.1, 0.3]) if isinstance(space, Ndc) else np.array([0.5, 0.4, 2.5])
    teacher = teacher_in(space, ball)
    grid = sample_density(teacher, None, DensityConfig(grid=112, scan=40))
    camera = Camera.from_fov(look_at(eye, ball, UP), 40, 40, 0.8)
    slow, fast = rendering.render(teacher, camera), FastRenderer(teacher, grid).render(camera)
    assert float(slow[..., 3].mean()) > 0.99  # the wall is everywhere
    expected = _traced(camera, ball)
    assert psnr(expected, slow[..., :3].numpy()) > 22
    assert psnr(expected, fast[..., :3].numpy()) > 22


def _traced(camera: Camera, ball: Array) -> Array:
    """The scenery by intersecting rays with its two spheres."""
    d = camera.ray_directions().reshape(-1, 3).astype(np.float64)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    to_ball = camera.position - ball
    b, c = (d * to_ball).sum(1), (to_ball**2).sum() - RADIUS**2
    hit = b * b - c
    b2, c2 = d @ camera.position, (camera.position**2).sum() - (FAR_WALL + 0.05) ** 2
    t = np.where((hit > 0) & (b < 0), -b - np.sqrt(np.maximum(hit, 0)), -b2 + np.sqrt(b2 * b2 - c2))
    points = camera.position + t[:, None] * d
    return (0.5 + 0.4 * np.sin(0.8 * points)).reshape(camera.height, camera.width, 3)


@pytest.mark.parametrize("space", [NDC, Contracted()], ids=["ndc", "contracted"])
def test_shells_come_back_to_the_world(space: World, ctx: moderngl.Context) -> None:
    ball = BALL if isinstance(space, Ndc) else np.array([0.0, 0.1, 0.0])
    teacher = teacher_in(space, ball)
    grid = sample_density(teacher, None, DensityConfig(grid=112, scan=40))
    rig = Rig.from_scene(teacher.scene)
    if isinstance(space, Contracted):
        rig = replace(rig, radius=2.5)
    shells = extract_shells(grid, rig.evenly(24, 100), BakeConfig().shells, ctx, space)
    for shell in shells:
        points = space.unwarp(shell.positions)
        distance = np.linalg.norm(points - ball, axis=1)
        near = distance < 2 * RADIUS
        assert near.sum() > 100 and (~near).sum() > 100
        assert np.median(np.abs(distance[near] - RADIUS)) < 0.12  # a ball, not the egg that it is in the other space
        wall = np.linalg.norm(points[~near], axis=1)  # both spaces measure far depths in reciprocals
        assert np.median(np.abs(1 / wall - 1 / FAR_WALL)) < 1.5 * grid.step
    meshes = [in_world(shell, space) for shell in shells]
    seen, either = (Rasterizer(ctx, *meshes, double_sided=both) for both in (False, True))
    for camera in rig.evenly(3, 60):  # fronts are what cameras see
        for hits, any_side in zip(seen.layers(camera), either.layers(camera), strict=True):
            assert (hits.face == any_side.face).mean() > 0.98


def test_a_forward_facing_bake_is_a_euclidean_scene(tmp_path: Path, ctx: moderngl.Context) -> None:
    teacher = teacher_in(NDC, BALL)
    rig, config = Rig.from_scene(teacher.scene), BakeConfig()
    config = replace(
        config,
        density=DensityConfig(grid=96, scan=40),
        shells=replace(config.shells, faces=6000),
        atlas=replace(config.atlas, texels=256),
        views=replace(config.views, views=64, view_size=48),
        distill=replace(config.distill, steps=200, crop=32, batch=4),
    )
    job = BakeJob(teacher, config, rig)
    output = tmp_path / "scene.bundle"
    bundle = bake(job, output, Workspace(output, job.fingerprint(), False, False), ctx)
    assert bundle.rig["forward"] and spaces.from_json(bundle.teacher["space"]) == NDC
    way = scene_orbit(bundle)
    renderer = Renderer(ctx, bundle)
    for turn in (0.0, 0.3, 0.7):
        camera = way.camera(turn, 64, 64)
        assert camera.camera_to_world[2, 2] > 0.9  # looks forward
        drawn = renderer.image(camera)[..., :3].astype(np.float32) / 255
        assert psnr(drawn, _traced(camera, BALL)) > 20


def test_spaces_survive_the_manifest_and_odd_ones_are_one_sentence() -> None:
    for space in (World(), NDC, Ndc(1.0, 2.0, field_views=True), Contracted(), Contracted(2.0)):
        assert spaces.from_json(space.to_json()) == space
    for odd in ({"name": "ndc"}, {"name": "klein"}, {"name": "contracted", "order": 3}, 7, {"name": "ndc", "x": "?"}):
        with pytest.raises(DuplexError, match=r"teacher\.space"):
            spaces.from_json(odd)
