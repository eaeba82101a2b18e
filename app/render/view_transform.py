"""The matrices of a camera that the shaders use."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera


@dataclass(frozen=True)
class ViewTransform:
    """Matrices of a camera, all float64.

    ``world_to_clip``: (4, 4), view and projection; ``eye``: (3,), camera position, world; ``pixel_to_ray``: (3, 3),
    maps (x, y, 1), in pixels from the bottom left corner, to a world direction, not normalised; ``depths``: of the
    nearest and the farthest point along the view direction, world units, both positive; ``focal``: geometric mean of
    both focal lengths, pixels; ``center``, ``radius``: of the sphere that encloses the scene, world.
    """

    world_to_clip: Array
    eye: Array
    pixel_to_ray: Array
    depths: tuple[float, float]
    focal: float
    center: Array
    radius: float

    @classmethod
    def of(cls, camera: Camera, center: Array, radius: float) -> ViewTransform:
        """The matrices of ``camera``; the depth range encloses the sphere at ``center`` (3,) with ``radius``, world."""
        depth = -float((camera.view_matrix() @ np.append(center, 1))[2])
        near = max(depth - radius, radius * 5e-4)
        far = max(depth + radius, near * 2)
        below = camera.height - camera.cy
        to_camera = np.array(
            [[1 / camera.fx, 0, -camera.cx / camera.fx], [0, 1 / camera.fy, -below / camera.fy], [0, 0, -1]]
        )
        return cls(
            camera.projection_matrix(near, far) @ camera.view_matrix(),
            camera.position,
            camera.camera_to_world[:3, :3] @ to_camera,
            (near, far),
            math.sqrt(camera.fx * camera.fy),
            np.asarray(center),
            radius,
        )
