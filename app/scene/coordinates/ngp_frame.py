"""The coordinate frame of instant-ngp: a unit cube whose axes are those of the dataset, cycled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array

CYCLED = (1, 2, 0)  # x, y, z of instant-ngp are y, z, x of the dataset
UNCYCLED = (0, 1, 2)  # for scenes from Mitsuba


@dataclass(frozen=True)
class NgpFrame:
    """Coordinate ``i`` of instant-ngp's frame is ``scale * p[axes[i]] + offset[axes[i]]`` of a world point ``p``.

    The defaults are those of instant-ngp for datasets that state neither scale nor offset.
    """

    scale: float = 0.33
    offset: tuple[float, float, float] = (0.5, 0.5, 0.5)
    axes: tuple[int, int, int] = CYCLED

    def matrix(self) -> Array:
        """World to instant-ngp's frame, (4, 4) float64."""
        matrix = np.eye(4)
        matrix[:3] = np.column_stack([self.scale * np.eye(3), self.offset])[list(self.axes)]
        return matrix

    def world(self, points: Array) -> Array:
        """Points (n, 3) of instant-ngp's frame in the world, float64."""
        inverse = np.linalg.inv(self.matrix())
        return np.asarray(points, np.float64) @ inverse[:3, :3].T + inverse[:3, 3]
