"""The world of a capture: ``+z`` is up, the origin is what the cameras look at, the scale is arbitrary.

The median distance between a camera and the points in its view is 1.
"""

from __future__ import annotations

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import focus_point, horizontal_axes
from duplex.baking.datasets.up_axis import is_forward_facing, up_shown_by

MAX_POINTS = 20_000  # that are looked at


def upright_world(poses: Array, points: Array) -> tuple[float, Array, Array]:
    """The similarity into the world, from ``poses`` (n, 4, 4) camera to world and ``points`` (m, 3) of another one.

    Returns scale s, rotation R (3, 3) and translation t (3,): x becomes s R x + t.
    """
    up = _up(poses)
    right, _ = horizontal_axes(up)
    rotation = np.stack([right, np.cross(up, right), up])
    scale = 1 / max(_median_distance(poses, points), 1e-9)
    return scale, rotation, -scale * rotation @ _centre(poses, points)


def _up(poses: Array) -> Array:
    """The axis that cameras show which go around, else the mean of their up axes."""
    mean = poses[:, :3, 1].mean(0)
    length = float(np.linalg.norm(mean))
    declared = mean / length if length > 1e-6 else np.array([0.0, 0, 1])
    shown = None if is_forward_facing(poses) else up_shown_by(poses, declared)
    return np.asarray(declared if shown is None else shown, np.float64)


def _centre(poses: Array, points: Array) -> Array:
    """The point that cameras look at; of cameras side by side, the middle of the points."""
    if is_forward_facing(poses) and len(points):
        return np.asarray(np.median(points, axis=0))
    return focus_point(poses)


def _median_distance(poses: Array, points: Array) -> float:
    points = points[:: max(-(-len(points) // MAX_POINTS), 1)]
    eyes = poses[:, :3, 3]
    if not len(points):
        return float(np.median(np.linalg.norm(eyes - focus_point(poses), axis=1)))
    distances = [float(np.median(_ahead(points - pose[:3, 3], -pose[:3, 2]))) for pose in poses]
    return float(np.median(distances))


def _ahead(offsets: Array, gaze: Array) -> Array:
    """Distances (k,) of the points on the camera's side of ``offsets`` (m, 3), of all if there is none."""
    inside = offsets @ gaze > 0.7 * np.linalg.norm(offsets, axis=1)
    return np.asarray(np.linalg.norm(offsets[inside] if inside.any() else offsets, axis=1))
