"""Where a camera is and what it looks at, as the viewer's camera moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pyglm import glm

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera


@dataclass(frozen=True)
class Pose:
    """A camera that looks at ``target`` from ``distance``, world units.

    ``rotation``: unit quaternion, camera to world; ``fov``: vertical, radians.
    """

    target: glm.dvec3
    distance: float
    rotation: Any
    fov: float

    @property
    def forward(self) -> glm.dvec3:
        """The view direction, unit."""
        return rotated(self.rotation, 0, 0, -1)

    @property
    def eye(self) -> glm.dvec3:
        """The camera's position."""
        return self.target - self.distance * self.forward


def pose_of(camera: Camera, center: Array, radius: float) -> Pose:
    """The pose of ``camera``, which looks at the point of its view axis nearest to ``center``, or ``radius`` ahead."""
    forward = -camera.camera_to_world[:3, 2]
    along = float(np.dot(np.asarray(center) - camera.position, forward))
    distance = along if along > 0.05 * radius else radius
    rotation = rotation_of(camera.camera_to_world[:3, :3])
    return Pose(glm.dvec3(*(camera.position + distance * forward)), distance, rotation, camera.fov_y)


def rotation_of(matrix: Array) -> Any:
    """The unit quaternion of a rotation matrix (3, 3)."""
    return glm.dquat(glm.normalize(glm.quat_cast(glm.dmat3(*matrix.T.reshape(-1).tolist()))))


def rotated(rotation: Any, x: float, y: float, z: float) -> glm.dvec3:
    """The vector after the rotation; PyGLM's type stubs say single precision, but it is double."""
    return glm.dvec3(rotation * glm.dvec3(x, y, z))
