"""A whole bake of a scene in NDC."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest

from builders.scenery import BALL, NDC, teacher_in, traced
from duplex.app.core.metrics import psnr
from duplex.app.render.renderer import Renderer
from duplex.app.scene.orbits import scene_orbit
from duplex.baking import provenance
from duplex.baking.config import BakeConfig
from duplex.baking.geometry.density import DensityConfig
from duplex.baking.job import BakeJob
from duplex.baking.pipeline import bake
from duplex.baking.rig import Rig
from duplex.baking.runtime.workspace import Workspace

pytestmark = pytest.mark.system


def test_a_forward_facing_bake_is_a_euclidean_scene(tmp_path: Path, ctx: moderngl.Context) -> None:
    teacher = teacher_in(NDC, BALL)
    rig, config = Rig.from_scene(teacher.scene), BakeConfig()
    config = replace(
        config,
        density=DensityConfig(grid=96, scan=40),
        shells=replace(config.shells, faces=6000),
        atlas=replace(config.atlas, texels=256),
        views=replace(config.views, views=64, view_size=48),
        distill=replace(config.distill, steps=200, crop_size=32, batch=4),
    )
    job = BakeJob(teacher, config, rig)
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
