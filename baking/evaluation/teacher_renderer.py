"""The teacher of a bundle as its bake saw it, drawn by the standard renderer or by the bake's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.images import over
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.config import BakeConfig
from duplex.baking.fields import rendering
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import Teacher
from duplex.baking.job import BakeJob
from duplex.baking.pipeline import density_of
from duplex.baking.provenance import (
    bounds_of,
    config_of,
    crop_of,
    depths_of,
    overrides_of,
    rig_of,
    seed_of,
    space_of,
)
from duplex.baking.runtime.devices import pick_device
from duplex.baking.runtime.progress import say

REFERENCE_GRID = 288  # samples along the longest side of the density grid


@dataclass(frozen=True)
class TeacherRenderer:
    """Draws the teacher of ``bundle``; ``fast``: whether :meth:`drawn` takes the bake's renderer or the standard one.

    Only the bake's renderer gives an opacity to compare with: that of the standard one holds the matter in the colour
    of the background which training on a plain background leaves, and carving removes.
    """

    teacher: Teacher
    bundle: Bundle
    fast: bool = False

    @cached_property
    def _fast(self) -> FastRenderer:
        config = _reference_config(config_of(self.bundle))
        dataset = self.bundle.cameras if self.bundle.rig.get("dataset_cameras") else ()
        rig, crop = rig_of(self.bundle), crop_of(self.bundle)
        job = BakeJob(self.teacher, config, rig, dataset, seed=seed_of(self.bundle), crop=crop)
        return FastRenderer(self.teacher, density_of(job), config.views.sub_steps)

    def rgba(self, camera: Camera) -> Array:
        """The bake's picture of ``camera`` with premultiplied alpha, (h, w, 4) float32 in [0, 1]."""
        return self._fast.render(camera).clamp(0, 1).cpu().numpy()

    def drawn(self, camera: Camera) -> Array:
        """The teacher's picture of ``camera`` on the bundle's background, (h, w, 3) float32 in [0, 1]."""
        rgba = self.rgba(camera) if self.fast else rendering.render(self.teacher, camera).cpu().numpy()
        return over(rgba, self.bundle.background)


def _reference_config(config: BakeConfig) -> BakeConfig:
    """The settings of a bake's renderer that bundles of any settings are judged by, unless their own are finer."""
    density = replace(config.density, grid=max(config.density.grid, REFERENCE_GRID))
    return replace(config, density=density, views=replace(config.views, sub_steps=max(config.views.sub_steps, 2)))


def as_baked(teacher: Teacher, bundle: Bundle) -> Teacher:
    """The teacher with the bake's background, space, depths and bounds in place of its configuration's.

    The standard renderer also draws the scene outside the bounds. A note reports this if the bake used smaller bounds.
    """
    near, far = depths_of(bundle) or (teacher.scene.near, teacher.scene.far)
    space = space_of(bundle)
    bounds = teacher.scene.bounds
    if "bounds" in bundle.teacher:
        bounds = bounds_of(bundle)
        if bounds and not (teacher.scene.bounds and np.allclose(bounds, teacher.scene.bounds)):
            say("note: only a part of the scene was baked; --fast draws no more of the teacher either")
    scene = replace(teacher.scene, background=bundle.background, space=space, near=near, far=far, bounds=bounds)
    return replace(teacher, scene=scene)


def teacher_of(bundle: Bundle, checkpoint: Path, device: str) -> Teacher:
    """The teacher in ``checkpoint`` as ``bundle``'s bake read it; a note says if it is another one."""
    teacher = as_baked(load_teacher(checkpoint, pick_device(device), overrides_of(bundle)), bundle)
    if teacher.sha256 != bundle.teacher.get("sha256"):
        say(f"note: {teacher.path} is not the checkpoint that this bundle was baked from")
    return teacher
