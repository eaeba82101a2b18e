"""A field's density on a regular grid: the shells are its level sets, and the fast renderer skips its empty cells."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from duplex.app.core.arrays import Array

VISIBLE_OPACITY = 0.005  # over one cell: about the faintest step that 8 bits a channel can show (1 / 255)


@dataclass(frozen=True)
class DensityGrid:
    """``sigma``: (nx, ny, nz) float32 densities at ``low + index * step`` of field space; 0 where nothing was found.

    They are per unit of field space, along a line of sight (:meth:`duplex.baking.fields.spaces.Space.stretch`).
    ``cleared``: (nx, ny, nz) bool, samples whose matter does not count, whatever the field says; None for none.
    """

    sigma: Array
    low: Array
    step: float
    cleared: Array | None = None

    @property
    def high(self) -> Array:
        """Position of the last sample, (3,)."""
        return self.low + self.step * (np.array(self.sigma.shape) - 1)

    def opacity(self) -> Array:
        """Opacity over one cell, ``1 - exp(-sigma step)``, (nx, ny, nz) float32 in [0, 1]."""
        return 1 - np.exp(-self.sigma * np.float32(self.step))

    def visible(self) -> Array:
        """Which samples are more than :data:`VISIBLE_OPACITY` opaque over one cell, (nx, ny, nz) bool."""
        return np.asarray(self.sigma * np.float32(self.step) > VISIBLE_OPACITY)

    def cleared_at(self, cells: Array) -> DensityGrid:
        """The grid without matter at the samples ``cells``, (n, 3) indices."""
        where = np.zeros(self.sigma.shape, bool) if self.cleared is None else self.cleared.copy()
        where[tuple(cells.T)] = True
        return replace(self, sigma=np.where(where, np.float32(0), self.sigma), cleared=where)

    def to_arrays(self) -> dict[str, Array]:
        """The grid by the names of its parts, as a workspace keeps it."""
        cleared = {} if self.cleared is None else {"cleared": self.cleared}
        return {"sigma": self.sigma, "low": self.low, "step": np.array([self.step]), **cleared}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> DensityGrid:
        """The grid of :meth:`to_arrays`; raises ValueError for other arrays."""
        sigma, low, step = arrays["sigma"], arrays["low"], float(arrays["step"][0])
        known = sigma.ndim == 3 and sigma.dtype == np.float32 and low.shape == (3,) and min(sigma.shape) > 1
        if not known or not (np.isfinite(sigma).all() and np.isfinite(low).all() and 0 < step < math.inf):
            raise ValueError("not a density grid")
        cleared = arrays.get("cleared")
        if cleared is not None and (cleared.shape != sigma.shape or cleared.dtype != bool):
            raise ValueError("not the cleared samples of a density grid")
        return cls(sigma, low, step, cleared)

    def axes(self) -> list[Array]:
        """Coordinates of the samples along each axis."""
        return [self.low[i] + self.step * np.arange(n) for i, n in enumerate(self.sigma.shape)]
