"""Space that is empty because cameras saw through it: between a camera and each point that structure from motion found.

Photos alone cannot tell a wall from fog before each camera that looks like it; lines of sight that end at known points
can. The grid of cells is coarse, so that many lines pass through a cell near a camera, where such fog gathers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.baking.datasets.frames import SparsePoints
from duplex.baking.fields.spaces import Space

CELLS = 64  # along each side of the box
STEPS = 160  # places along a line of sight
MARGIN = 0.08  # of a line's length before its point, which stays
LINES = 3  # of sight through a cell that is taken to be empty
LINES_AT_ONCE = 1 << 13


def free_cells(sparse: SparsePoints, space: Space, box: Tensor) -> Tensor:
    """Which cells (z, y, x) of a grid of :data:`CELLS` along each side of ``box`` (2, 3), in ``space``, are empty."""
    crossed = np.zeros((CELLS,) * 3, np.int32)
    shares = np.linspace(0, 1 - MARGIN, STEPS)[:, None]
    for start in range(0, len(sparse.sightings), LINES_AT_ONCE):
        eye, point = sparse.sightings[start : start + LINES_AT_ONCE].T
        begin, end = sparse.eyes[eye], sparse.positions[point]
        places = begin + shares[..., None] * (end - begin)
        cells = _cells(torch.from_numpy(places).float(), space, box)  # (steps, lines)
        fresh = np.vstack([np.ones_like(cells[:1], bool), cells[1:] != cells[:-1]])  # each line counts once in a cell
        np.add.at(crossed.reshape(-1), cells[fresh & (cells >= 0)], 1)
    empty = crossed >= LINES
    held = _cells(torch.from_numpy(sparse.positions).float(), space, box)
    empty.reshape(-1)[held[held >= 0]] = False
    return torch.from_numpy(empty)


def without(vertices: Tensor, empty: Tensor) -> Tensor:
    """``vertices`` (z, y, x) bool of a grid over the same box without those in ``empty`` cells."""
    places = [
        (torch.linspace(0, 1, side) * (cells - 1e-3)).long()
        for side, cells in zip(vertices.shape, empty.shape, strict=True)
    ]
    inside = empty[places[0]][:, places[1]][:, :, places[2]].to(vertices.device)
    return vertices & ~inside


def _cells(points: Tensor, space: Space, box: Tensor) -> Array:
    """The cell of each of ``points`` (..., 3) of the world, -1 outside of the box: (...) int64."""
    unit = (space.warp(points) - box[0].cpu()) / (box[1] - box[0]).cpu()
    x, y, z = (unit * CELLS).floor().long().unbind(-1)
    inside = ((unit >= 0) & (unit < 1)).all(-1)
    return np.asarray(torch.where(inside, (z * CELLS + y) * CELLS + x, -1))
