"""A part cut out of a scene: a box or a ball in the dataset's frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.spaces import Space

EXPECTED = "expected low x y z, then a larger high x y z, or sphere:X,Y,Z,RADIUS"


@dataclass(frozen=True)
class CropRegion:
    """What is kept of a scene.

    ``numbers``: low x y z and high x y z of a box, or x y z and radius of a ball, in the dataset's frame;
    ``to_dataset``: (4, 4), to there from the teacher's world.
    """

    numbers: tuple[float, ...]
    to_dataset: Array

    @classmethod
    def of(cls, given: str | Sequence[str | float] | Array, to_dataset: Array) -> CropRegion:
        """Read the values of a ``--crop`` flag; raises :class:`DuplexError` for anything else."""
        words = [given] if isinstance(given, str) else list(given)
        shown = " ".join(str(word) for word in words)[:80]
        sphere = len(words) == 1 and re.fullmatch(r"sphere:(.*)", str(words[0]))
        try:
            numbers = tuple(float(word) for word in (sphere[1].split(",") if sphere else words))
        except (TypeError, ValueError):
            raise DuplexError(f"--crop {shown}: {EXPECTED}") from None
        box = np.array(numbers).reshape(2, 3) if len(numbers) == 6 and not sphere else None
        sound = (box[1] > box[0]).all() if box is not None else bool(sphere) and len(numbers) == 4 and numbers[3] > 0
        if not (sound and np.isfinite(numbers).all()):
            raise DuplexError(f"--crop {shown}: {EXPECTED}")
        return cls(numbers, to_dataset)

    @property
    def center(self) -> Array:
        """(3,), in the teacher's world."""
        values = np.array(self.numbers)
        middle = values[:3] if len(values) == 4 else values.reshape(2, 3).mean(0)
        return np.asarray((np.linalg.inv(self.to_dataset) @ np.append(middle, 1))[:3])

    def holds(self, points: Array) -> Array:
        """Whether ``points`` (n, 3) of the teacher's world are kept, (n,) bool."""
        values = np.array(self.numbers)
        placed = points @ self.to_dataset[:3, :3].T + self.to_dataset[:3, 3]
        if len(values) == 4:
            return np.asarray(np.linalg.norm(placed - values[:3], axis=1) <= values[3])
        return np.asarray(((placed >= values[:3]) & (placed <= values[3:])).all(1))

    def cells(self, grid: DensityGrid, space: Space) -> Array:
        """Which samples of ``grid``, in the field ``space``, are kept: (nx, ny, nz) bool."""
        x, y, z = grid.axes()
        layer = np.stack(np.meshgrid([0.0], y, z, indexing="ij"), -1).reshape(-1, 3)
        kept = np.zeros(grid.sigma.shape, bool)
        for i, value in enumerate(x):
            layer[:, 0] = value
            kept[i] = self.holds(space.unwarp(layer)).reshape(len(y), len(z))
        return kept

    def of_scan(self, scan: DensityGrid, solid: Array, space: Space) -> Array:
        """Which of the ``solid`` cells of ``scan`` are kept or beside such; raises :class:`DuplexError` if none is."""
        found = np.asarray(solid & ndimage.binary_dilation(self.cells(scan, space), np.ones((3, 3, 3))))
        if solid.any() and not found.any():
            low, high = (np.round(space.unwarp(corner[None])[0], 3).tolist() for corner in (scan.low, scan.high))
            raise DuplexError(
                f"--crop {' '.join(f'{x:g}' for x in self.numbers)}: nothing of the scene is in it: expected a part of "
                f"what lies from {low} to {high} in the teacher's world"
            )
        return found

    def applied(self, grid: DensityGrid, space: Space) -> DensityGrid:
        """``grid`` without what is not kept."""
        return grid.cleared_at(np.argwhere(~self.cells(grid, space)))
