"""The space in which a mesh's lattice stands: another one than the world where a scene has no bounds.

All maps are made of additions, products, quotients and square roots of float64, which IEEE 754 rounds alike on every
machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.tree import MAX_NUMBER, Node

WORLD, CONTRACTED, NDC = "world", "contracted", "ndc"
SMALLEST = 1e-9  # of lengths
MAX_FAR = 1e6


@dataclass(frozen=True)
class MeshSpace:
    """Where a mesh stands.

    * ``name``: ``world``; ``contracted`` (mip-NeRF 360, equation 10) around ``center``, world units, in units of
      ``radius``, by the Euclidean norm or, if ``boxed``, by the largest coordinate; ``ndc`` (NeRF, appendix C) of a
      camera whose focal length over half the width and height is ``center[0]`` and ``center[1]``, and whose near plane
      is at the depth ``radius``.
    * ``far``: radii, or the depth, to which the world reaches.
    """

    name: str = WORLD
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 1.0
    boxed: bool = True
    far: float = 1.0

    @classmethod
    def from_json(cls, space: Node) -> MeshSpace:
        """Read :meth:`to_json`; raises :class:`DuplexError` for anything else."""
        x, y, z = space.numbers("center", 3).tolist()
        return cls(
            space.text("name", (WORLD, CONTRACTED, NDC)),
            (x, y, z),
            space.number("radius", SMALLEST, MAX_NUMBER),
            space.flag("boxed"),
            space.number("far", SMALLEST, MAX_FAR),
        )

    def to_json(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return vars(self) | {"center": list(self.center)}

    def reaching(self, points: Array) -> MeshSpace:
        """The same space as far as ``points`` (n, 3) of the world."""
        if self.name == CONTRACTED:
            return replace(self, far=max(float(self._size((points - self.center) / self.radius).max()), 1.0))
        return replace(self, far=max(float(-points[:, 2].min()), SMALLEST)) if self.name == NDC else self

    def to_world(self, points: Array) -> Array:
        """``points`` (n, 3) float64 of this space in the world."""
        if self.name == CONTRACTED:
            size = np.maximum(self._size(points), SMALLEST)
            reach = 1 / np.maximum(2 - size, 1 / self.far)
            return np.asarray(self.center + self.radius * np.where(size <= 1, points, points / size * reach))
        if self.name == NDC:
            depth = 2 * self.radius / np.maximum(1 - points[:, 2], SMALLEST)
            depth = np.minimum(np.maximum(depth, 0.1 * self.radius), self.far)
            x, y, _ = self.center
            return np.stack([points[:, 0] * depth / x, points[:, 1] * depth / y, -depth], -1)
        return points

    def from_world(self, points: Array) -> Array:
        """The inverse of :meth:`to_world`."""
        if self.name == CONTRACTED:
            points = (points - self.center) / self.radius
            shrunk = 1 / np.maximum(self._size(points), 1)
            return np.asarray(points * (shrunk * (2 - shrunk)))
        if self.name == NDC:
            depth = -points[:, 2]
            x, y, _ = self.center
            return np.stack([points[:, 0] * x / depth, points[:, 1] * y / depth, 1 - 2 * self.radius / depth], -1)
        return points

    def _size(self, points: Array) -> Array:
        """The norm of ``points`` (n, 3): (n, 1)."""
        if self.boxed:
            return np.asarray(np.abs(points).max(1, keepdims=True))
        squares = points * points
        return np.asarray(np.sqrt(squares[:, :1] + squares[:, 1:2] + squares[:, 2:]))
