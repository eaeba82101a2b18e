"""The first point of a mesh that a ray meets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.app.scene.mesh import Mesh

PARALLEL = 1e-12  # of a face's area to the ray, relative to the square of the mesh's size


class Meeting(NamedTuple):
    """``point``: (3,) float64, world; ``distance``: from the ray's origin, world units; ``face``: index."""

    point: Array
    distance: float
    face: int


def pixel_ray(camera: Camera, x: float, y: float) -> tuple[Array, Array]:
    """Origin and unit direction, (3,) float64, of the ray through ``(x, y)``, pixels from the top left corner."""
    local = np.array([(x - camera.cx) / camera.fx, (camera.cy - y) / camera.fy, -1.0])
    direction = camera.camera_to_world[:3, :3] @ local
    return np.asarray(camera.position, np.float64), np.asarray(direction / np.linalg.norm(direction))


def first_meeting(mesh: Mesh, origin: Array, direction: Array) -> Meeting | None:
    """Where the ray from ``origin`` along the unit ``direction`` first meets ``mesh`` from either side, or None.

    The method is that of Moeller and Trumbore, 1997, for all faces at once.
    """
    a, b, c = (mesh.positions[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    first, second, offset = b - a, c - a, origin - a
    across = np.cross(direction, second)
    area = (first * across).sum(1)
    size = float(np.abs(mesh.positions).max(initial=0.0)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (offset * across).sum(1) / area
        other = np.cross(offset, first)
        v = (other @ direction) / area
        distance = (second * other).sum(1) / area
        met = (np.abs(area) > PARALLEL * size) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
    if not met.any():
        return None
    face = int(np.where(met, distance, np.inf).argmin())
    return Meeting(origin + distance[face] * direction, float(distance[face]), face)
