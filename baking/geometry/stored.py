"""Density grid and shells as arrays, as a workspace keeps them."""

from __future__ import annotations

import math

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.mesh import Mesh
from duplex.baking.fields.density_grid import DensityGrid


def grid_to_arrays(grid: DensityGrid) -> dict[str, Array]:
    """A density grid by the names of its parts."""
    cleared = {} if grid.cleared is None else {"cleared": grid.cleared}
    return {"sigma": grid.sigma, "low": grid.low, "step": np.array([grid.step]), **cleared}


def grid_from_arrays(arrays: dict[str, Array]) -> DensityGrid:
    """The density grid of :func:`grid_to_arrays`; raises ValueError for other arrays."""
    sigma, low, step = arrays["sigma"], arrays["low"], float(arrays["step"][0])
    known = sigma.ndim == 3 and sigma.dtype == np.float32 and low.shape == (3,) and min(sigma.shape) > 1
    if not known or not (np.isfinite(sigma).all() and np.isfinite(low).all() and 0 < step < math.inf):
        raise ValueError("not a density grid")
    cleared = arrays.get("cleared")
    if cleared is not None and (cleared.shape != sigma.shape or cleared.dtype != bool):
        raise ValueError("not the cleared samples of a density grid")
    return DensityGrid(sigma, low, step, cleared)


def shells_to_arrays(shells: tuple[Mesh, Mesh]) -> dict[str, Array]:
    """Both shells by the names of their parts."""
    return {
        f"{i}.{key}": value
        for i, shell in enumerate(shells)
        for key, value in (("positions", shell.positions), ("faces", shell.faces), ("uvs", shell.uvs))
    }


def shells_from_arrays(arrays: dict[str, Array]) -> tuple[Mesh, Mesh]:
    """The shells of :func:`shells_to_arrays`; raises ValueError for other arrays."""
    first, second = (Mesh(arrays[f"{i}.positions"], arrays[f"{i}.uvs"], arrays[f"{i}.faces"]) for i in range(2))
    for shell in (first, second):
        count = len(shell.positions)
        shapes = (shell.positions.shape, shell.uvs.shape, shell.faces.shape[1:])
        numbers = np.isfinite(shell.positions).all() and np.isfinite(shell.uvs).all()
        indices = shell.faces.dtype.kind in "iu" and shell.faces.size > 0
        if shapes != ((count, 3), (count, 2), (3,)) or not numbers or not indices:
            raise ValueError("not a mesh")
        if not 0 <= int(shell.faces.min()) <= int(shell.faces.max()) < count:
            raise ValueError("not the indices of vertices")
    return first, second
