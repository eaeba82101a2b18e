"""Pinhole projection and the rays through pixels, once for numpy arrays and torch tensors.

Only operators and methods that both libraries have are used, so ``Values`` may be an array, a tensor or a number.
Conventions (camera axes, pixel centres) are those of :mod:`duplex.app.scene.camera`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Values = Any  # numpy array, torch tensor or number; all arguments of one call come from the same library

MIN_DEPTH = 1e-9  # points nearer to the camera plane, or behind it, are projected as if they lay here


@dataclass(frozen=True)
class Pinhole:
    """Intrinsics in pixels: focal lengths ``fx``, ``fy`` and the principal point ``cx``, ``cy``.

    Each is a number, or values of a shape that broadcasts against the pixels (one pinhole for each ray).
    """

    fx: Values
    fy: Values
    cx: Values
    cy: Values

    def project(self, local: Values) -> tuple[Values, Values, Values]:
        """Pixel ``x``, pixel ``y`` and depth, (n,) each, of points (n, 3) in camera space.

        The depth is negative behind the camera; ``x`` and ``y`` are only meaningful where it is positive.
        """
        depth = -local[:, 2]
        divisor = depth.clip(min=MIN_DEPTH)
        x = self.cx + self.fx * local[:, 0] / divisor
        y = self.cy - self.fy * local[:, 1] / divisor
        return x, y, depth

    def on_plane(self, columns: Values, rows: Values) -> tuple[Values, Values]:
        """Where the centres of pixels lie on the plane at depth 1: ``x`` to the right, ``y`` downwards."""
        return (columns + 0.5 - self.cx) / self.fx, (rows + 0.5 - self.cy) / self.fy


def to_camera_space(points: Values, camera_to_world: Values) -> Values:
    """World ``points`` (n, 3) in the axes of a camera, (n, 3); ``camera_to_world`` is (3, 4) or (4, 4)."""
    return (points - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]


def directions_through(x: Values, y: Values, right: Values, up: Values, backward: Values) -> Values:
    """World directions of unit depth through ``x``, ``y`` of :meth:`Pinhole.on_plane`; the last three are the axes.

    All shapes broadcast; axes may be whole vectors or one component of each.
    """
    return x * right - y * up - backward
