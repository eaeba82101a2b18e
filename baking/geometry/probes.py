"""Small pictures of the teacher, by which matter is told from background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from duplex.app.core.arrays import Array
from duplex.app.core.images import over
from duplex.app.scene.camera import Camera
from duplex.app.scene.coordinates.pinhole import to_camera_space
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import Teacher
from duplex.baking.fields.rendering import rays_of

TOLERANCE = 3 / 255  # per channel, between a colour and the background's
FAINT = 0.02  # opacity of a pixel up to which it is transparent


@dataclass(frozen=True)
class ProbeView:
    """A picture of the teacher.

    ``opacity``: (h, w) float32 in [0, 1]; ``plain``: (h, w) bool, pixels in the colour of the background; ``reach``:
    (h, w) float32, world distance of the last visible sample of each ray, infinite where the ray passes.
    """

    camera: Camera
    opacity: Array
    plain: Array
    reach: Array

    @cached_property
    def beside(self) -> Array:
        """Plain pixels that are connected to the border or to transparent ones by plain pixels, (h, w) bool."""
        return self.connected(self.opacity <= FAINT)

    def connected(self, also: Array | None = None) -> Array:
        """Plain pixels connected to the border, or to plain pixels of ``also`` (h, w), by plain pixels: (h, w) bool."""
        labels, _ = ndimage.label(self.plain)
        rim = [labels[0], labels[-1], labels[:, 0], labels[:, -1]]
        if also is not None:
            rim.append(labels[also])
        ends = np.unique(np.concatenate(rim))
        return np.asarray(np.isin(labels, ends[ends > 0]))


def in_picture(camera: Camera, points: Array) -> tuple[tuple[Array, Array], Array, Array]:
    """Pixel (row, column; clipped into the picture), distance, and whether in the picture, of world points (n, 3)."""
    local = to_camera_space(points, camera.camera_to_world)
    x, y, depth = camera.pinhole.project(local)
    inside = (depth > 0) & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    column = np.clip(x, 0, camera.width - 1).astype(int)
    row = np.clip(y, 0, camera.height - 1).astype(int)
    return (row, column), np.linalg.norm(local, axis=1), inside


def probes_of(teacher: Teacher, scan: DensityGrid, cameras: list[Camera]) -> list[ProbeView]:
    """Pictures of the ``teacher`` from ``cameras``, where ``scan`` found density."""
    renderer = FastRenderer(teacher, scan, sub_steps=3)
    background = teacher.scene.background
    probes = []
    for camera in cameras:
        rgba, reach = (x.cpu().numpy() for x in renderer.probe(*rays_of(camera, teacher.device)))
        rgba = rgba.reshape(camera.height, camera.width, 4)
        plain = np.abs(over(rgba, background) - np.array(background, np.float32)).max(-1) < TOLERANCE
        probes.append(ProbeView(camera, rgba[..., 3], plain, reach.reshape(plain.shape)))
    return probes
