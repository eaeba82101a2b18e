"""Interpolated values of planes and lines, with a fast backward pass.

Plane ``i`` spans the axes ``PLANES[i]`` (columns, rows), line ``i`` runs along ``LINES[i]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csc_array
from torch import Tensor

PLANES = ((0, 1), (0, 2), (1, 2))
LINES = (2, 1, 0)


class Lookup(torch.autograd.Function):
    """Weighted sums of a table's rows: (n, c) of ``table`` (m, c), ``index`` (n, k) int32 and ``weight`` (n, k).

    As ``F.embedding_bag``, with a backward pass several times faster, and none for the weights.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor, weight: Tensor) -> Tensor:  # noqa: D102
        ctx.save_for_backward(index, weight)
        ctx.shape = table.shape
        return F.embedding_bag(index, table, per_sample_weights=weight, mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: D102
        (gradient,) = gradients
        (index, weight) = ctx.saved_tensors
        count, taps = index.shape
        if gradient.device.type == "cpu":  # torch takes twenty times longer to scatter rows
            begins = np.arange(0, count * taps + 1, taps, dtype=np.int32)
            parts = (weight.numpy().reshape(-1), index.numpy().reshape(-1), begins)
            scattered = csc_array(parts, shape=(ctx.shape[0], count)) @ gradient.contiguous().numpy()
            return torch.from_numpy(scattered), None, None
        table = gradient.new_zeros(ctx.shape)
        for k in range(taps):
            table.index_add_(0, index[:, k], gradient * weight[:, k : k + 1])
        return table, None, None


look_up: Callable[[Tensor, Tensor, Tensor], Tensor] = Lookup.apply


class Cells:
    """The cells that hold points ``unit`` (n, 3), in [0, 1] of the box, of a ``grid`` of x, y, z vertices."""

    def __init__(self, unit: Tensor, grid: tuple[int, int, int]):
        self.grid = grid
        self.corner = []
        self.share = []
        for axis, size in enumerate(grid):
            place = unit[:, axis] * (size - 1)
            corner = place.floor().clamp_(0, size - 2)
            self.corner.append(corner.int())
            self.share.append(place - corner)

    def plane(self, plane: Tensor, i: int) -> Tensor:
        """Bilinear values (n, c) of plane ``i``, (1, c, rows, columns)."""
        across, down = PLANES[i]
        row, u, v = self.grid[across], self.share[across], self.share[down]
        first = self.corner[down] * row + self.corner[across]
        uv = u * v
        weight = torch.stack([1 - u - v + uv, u - uv, v - uv, uv], -1)
        index = torch.stack([first, first + 1, first + row, first + (row + 1)], -1)
        return look_up(plane.permute(0, 2, 3, 1).reshape(-1, plane.shape[1]), index, weight)  # a view, both ways

    def line(self, line: Tensor, i: int) -> Tensor:
        """Linear values (n, c) of line ``i``, (1, c, vertices, 1)."""
        first, u = self.corner[LINES[i]], self.share[LINES[i]]
        index = torch.stack([first, first + 1], -1)
        weight = torch.stack([1 - u, u], -1)
        return look_up(line[0, :, :, 0].T.contiguous(), index, weight)
