"""The facts of a checkpoint, and a small picture of it, before anything is baked."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import Teacher
from duplex.baking.geometry.density import DensityConfig, sample_density, search_box
from duplex.baking.subject import Subject

GRIDS = (96, 64, 48)  # samples along the longest side of the density grid: the first one that is quick enough
SCAN = 48  # samples a side of the coarse scan
DENSITY_SECONDS = 6.0  # for a scene that fills its box
PROBES = 1 << 14  # points on which a network is timed
LEVEL = 0.7  # cosine of the roll from which a camera does not stand upright
SIDES = (16, 2048)  # pixels, of the picture
COARSE = 4  # of how many pixels a side a coarse picture makes one
PICTURE_SECONDS = 8.0  # that the picture may be expected to take; else it stays coarse, as of a scene full of fog


@dataclass(frozen=True)
class CheckpointPreview:
    """A picture of a checkpoint, and where its matter is.

    ``picture``: (size, size, 3) uint8, on the teacher's background; ``matter``: low and high corner (2, 3) float64 of
    what is dense enough to be seen, in the space of the field.
    """

    picture: Array
    matter: Array


def check_side(side: int) -> None:
    """Raise :class:`DuplexError` for a picture that is too small or too large."""
    if not SIDES[0] <= side <= SIDES[1]:
        raise DuplexError(f"--size {side}: expected {SIDES[0]} to {SIDES[1]} pixels")


def facts(subject: Subject) -> dict[str, Any]:
    """The facts of a teacher by name, as JSON values."""
    teacher = subject.teacher
    scene = teacher.scene
    return {
        "file": str(teacher.path),
        "bytes": teacher.path.stat().st_size,
        "sha256": teacher.sha256,
        "family": teacher.family,
        **teacher.fine.describe(),
        "networks": 1 if teacher.coarse is teacher.fine else 2,
        "space": scene.space.name,
        "bounds": search_box(scene).tolist(),
        "near": scene.near,
        "far": scene.far,
        "background": list(scene.background),
        "samples": [scene.coarse_samples, scene.fine_samples],
        "up": list(scene.up),
        "cameras": f"{len(subject.cameras)} of the dataset"
        if subject.cameras
        else "none: give --data for the real ones",
        "assumed": list(scene.assumed),
    }


def preview_of(subject: Subject, side: int) -> CheckpointPreview:
    """Draw the teacher once, ``side`` pixels square; raises :class:`DuplexError` where nothing is dense enough."""
    check_side(side)
    grid = sample_density(subject.teacher, None, _quick(subject.teacher))
    return CheckpointPreview(_picture(subject, grid, side), np.stack([grid.low, grid.high]))


@torch.no_grad()
def _quick(teacher: Teacher) -> DensityConfig:
    """The finest grid whose density a network of this speed gives in time."""
    points = torch.rand(PROBES, 3, device=teacher.device)
    teacher.fine.density(points[:256])  # the first call prepares what later ones reuse
    began = time.monotonic()
    teacher.fine.density(points)
    each = (time.monotonic() - began) / PROBES
    quick = [grid for grid in GRIDS if each * grid**3 < DENSITY_SECONDS]
    return DensityConfig(grid=quick[0] if quick else GRIDS[-1], scan=SCAN)


def _picture(subject: Subject, grid: DensityGrid, side: int) -> Array:
    """The teacher's picture from the first camera on its background, first a coarse one: (side, side, 3) uint8."""
    camera = subject.rig.path().camera(0, side, side)
    if subject.cameras:
        camera = _upright(subject.cameras[0], subject).resized(side, side)
    renderer, began = FastRenderer(subject.teacher, grid), time.monotonic()
    rgba = renderer.render(camera.resized(side // COARSE, side // COARSE)).cpu().numpy()
    if (time.monotonic() - began) * COARSE**2 < PICTURE_SECONDS:
        rgba = renderer.render(camera).cpu().numpy()
    pixels = np.arange(side) * len(rgba) // side
    rgba = rgba[pixels][:, pixels]
    rgb = rgba[..., :3] + (1 - rgba[..., 3:]) * np.array(subject.teacher.scene.background, np.float32)
    return np.asarray(np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8))


def _upright(camera: Camera, subject: Subject) -> Camera:
    """``camera``, or the one that looks the same way and stands level where it does not and others go around."""
    up = np.array(subject.teacher.scene.up)
    pose = camera.camera_to_world
    level = look_at(camera.position, camera.position - pose[:3, 2], up)
    if subject.rig.forward or level[:3, 1] @ pose[:3, 1] > LEVEL:
        return camera
    return replace(camera, camera_to_world=level)
