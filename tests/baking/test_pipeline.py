"""A whole bake of a scene in NDC."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
import torch

from builders.scenes.scenery import BALL, NDC, Scenery, teacher_in, traced
from duplex.app.core.metrics import psnr
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera
from duplex.app.scene.orbits import scene_orbit
from duplex.baking import provenance
from duplex.baking.config import BakeConfig
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.spaces import Contracted
from duplex.baking.geometry.density import DensityConfig
from duplex.baking.job import BakeJob
from duplex.baking.pipeline import bake, density_of
from duplex.baking.rig import Rig
from duplex.baking.runtime.workspace import Workspace

pytestmark = pytest.mark.system


def small(config: BakeConfig) -> BakeConfig:
    return replace(
        config,
        density=DensityConfig(grid=96, scan=40),
        shells=replace(config.shells, faces=6000),
        atlas=replace(config.atlas, texels=256),
        views=replace(config.views, views=64, view_size=48),
        distill=replace(config.distill, steps=200, crop_size=32, batch=4),
        tuning=replace(config.tuning, rate_steps=20),
    )


class OpenAbove(Scenery):
    """The ball before a wall that ends at a height of 3: above is the sky, which has no matter."""

    def density(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sigma, world = super().density(points)
        return torch.where(world[..., 1] < 3, sigma, torch.zeros_like(sigma)), world


def test_a_scene_under_the_sky_is_opaque(tmp_path: Path, ctx: moderngl.Context) -> None:
    space = Contracted(radius=3.0)
    field = OpenAbove(space, BALL)
    teacher = replace(teacher_in(space, BALL), coarse=field, fine=field)
    eyes = [Camera.look_at((x, y, 1.0), (x, y, -4), size=(48, 48), fov_y=1.3) for x in (-1, 0, 1) for y in (-0.5, 0.5)]
    rig = replace(Rig.from_scene(teacher.scene), poses=np.stack([eye.camera_to_world for eye in eyes]), fov=1.3)
    job = BakeJob(teacher, small(BakeConfig()), rig, tuple(eyes))
    output = tmp_path / "scene.bundle"
    bundle = bake(job, output, Workspace(output, job.fingerprint(), False, False), ctx)
    assert job.dome == space and bundle.outer.mesh.seen is None
    renderer = Renderer(ctx, bundle)
    between = Camera.look_at((0.5, 0, 1.0), (0.5, 0, -4), size=(64, 64), fov_y=1.3)
    rgba = renderer.image(between, FrameOptions(background=TRANSPARENT)).astype(np.float32) / 255
    assert (rgba[..., 3] == 1).all()
    wanted = FastRenderer(teacher, density_of(job)).render(between).numpy()
    sky = wanted[..., 3] < 0.5
    assert sky.mean() > 0.1 and (rgba[sky][:, :3] < 0.2).mean() > 0.9  # black, the background
    assert psnr(rgba[..., :3], wanted[..., :3]) > 20


def test_a_forward_facing_bake_is_a_euclidean_scene(tmp_path: Path, ctx: moderngl.Context) -> None:
    teacher = teacher_in(NDC, BALL)
    job = BakeJob(teacher, small(BakeConfig()), Rig.from_scene(teacher.scene))
    output = tmp_path / "scene.bundle"
    bundle = bake(job, output, Workspace(output, job.fingerprint(), False, False), ctx)
    assert bundle.rig["forward"] and provenance.space_of(bundle) == NDC
    assert "elevations" not in bundle.rig
    seen = bundle.outer.mesh.seen
    assert seen is not None and 0 < (seen == 1).mean() < 1
    way = scene_orbit(bundle)
    renderer = Renderer(ctx, bundle)
    for turn in (0.0, 0.3, 0.7):
        camera = way.camera(turn, 64, 64)
        assert camera.camera_to_world[2, 2] > 0.9  # looks forward
        drawn = renderer.image(camera)[..., :3].astype(np.float32) / 255
        assert psnr(drawn, traced(camera, BALL)) > 20
