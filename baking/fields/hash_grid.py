"""Multi-resolution hash grids and the small networks on them (Müller et al., ACM Transactions on Graphics 2022).

Alphabet (section 3 of the paper): level ``l`` of ``L``, ``F`` features an entry, coarsest resolution ``N_min``,
growth ``b``, at most ``T`` entries a level. A point of the unit cube lies in level ``l`` at ``x s_l + shift``; its
eight neighbours there are blended. Code bases differ in ``s_l``, in the shift, and in whether a level that fits into
its table is stored as a plain grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.fields.field import ACTIVATIONS, RadianceField
from duplex.baking.fields.mlp import Perceptron

PRIMES = (1, 2654435761, 805459861)  # equation 4
MAX_LEVELS, MAX_LOG2_ENTRIES = 64, 28
HARMONICS = 16  # of degrees 0 to 3: the encoding of viewing directions in both code bases


@dataclass(frozen=True)
class HashLevel:
    """``scale``: ``s_l``; ``start``, ``size``: its entries in the table of all levels; ``side``: 0 where hashed."""

    scale: float
    start: int
    size: int
    side: int = 0


def tiny_cuda_levels(count: int, coarsest: int, growth: float, log2_entries: int) -> list[HashLevel]:
    """The levels of tiny-cuda-nn: ``s_l = N_min b^l - 1``, plain grids (padded to 8 entries) where they fit.

    Computed in float32, as there, because the result is rounded up to a whole number of entries.
    """
    levels = []
    start = 0
    most = 1 << log2_entries
    for level in range(count):
        power = np.exp2(np.float32(level) * np.log2(np.float32(growth)), dtype=np.float32)
        scale = np.float32(power * np.float32(coarsest) - np.float32(1))
        side = int(np.ceil(scale)) + 1
        size = min(-(-(side**3) // 8) * 8, most)
        levels.append(HashLevel(float(scale), start, size, side if side**3 <= size else 0))
        start += size
    return levels


def nerfstudio_levels(count: int, coarsest: int, finest: int, log2_entries: int) -> list[HashLevel]:
    """The levels of nerfstudio's torch implementation: ``s_l = floor(N_min b^l)``, always hashed; float32, as there."""
    growth = float(np.exp((np.log(finest) - np.log(coarsest)) / (count - 1))) if count > 1 else 1.0
    scales = torch.floor(coarsest * torch.pow(growth, torch.arange(count))).tolist()
    size = 1 << log2_entries
    return [HashLevel(scale, i * size, size) for i, scale in enumerate(scales)]


class HashGrid(nn.Module):
    """``table`` (entries of all levels, F) and how ``levels`` lie in it; ``shift``: added to ``x s_l``.

    ``smooth``: the blending weights go through ``3 w^2 - 2 w^3``.
    """

    def __init__(self, table: Tensor, levels: Sequence[HashLevel], shift: float, *, smooth: bool = False):
        super().__init__()
        if table.ndim != 2 or len(table) != levels[-1].start + levels[-1].size:
            raise DuplexError(
                f"the hash grid holds {tuple(table.shape)} numbers: expected {levels[-1].start + levels[-1].size} "
                f"entries for its {len(levels)} levels: a damaged checkpoint"
            )
        self.table = nn.Parameter(table, requires_grad=False)
        self.levels = tuple(levels)
        self.shift = shift
        self.smooth = smooth

    def width(self) -> int:
        """Columns of the encoding: L times F."""
        return len(self.levels) * self.table.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, :meth:`width`) at points (n, 3) of the unit cube, level after level."""
        features = []
        for level in self.levels:
            place = x * level.scale + self.shift
            cell = place.floor()
            share = place - cell
            if self.smooth:
                share = share * share * (3 - 2 * share)
            entries = level.start + _entries(cell.long(), level)
            weights = _blend(torch.stack([1 - share, share], 1))
            features.append(F.embedding_bag(entries, self.table, per_sample_weights=weights, mode="sum"))
        return torch.cat(features, -1)

    def describe(self) -> str:
        """A short description for reports."""
        levels = len(self.levels)
        features = self.table.shape[1]
        return f"hash grid, {levels} levels of {features} features, {len(self.table)} entries"


def _entries(cell: Tensor, level: HashLevel) -> Tensor:
    """Indices (n, 8), in the level's part of the table, of the eight corners of cells (n, 3)."""
    corners = torch.stack([cell, cell + 1], 1)
    if level.side:  # the far side's neighbours wrap around, as in the original
        x, y, z = _axes(corners * corners.new_tensor([1, level.side, level.side**2]))
        return (x + y + z).view(-1, 8) % level.size
    x, y, z = _axes(corners * corners.new_tensor(PRIMES))
    return (x ^ y ^ z).view(-1, 8) & (level.size - 1)


def _blend(shares: Tensor) -> Tensor:
    """Trilinear weights (n, 8) from two weights for each axis (n, 2, 3), in the order of :func:`_entries`."""
    x, y, z = _axes(shares)
    return (x * y * z).view(-1, 8)


def _axes(pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return pairs[:, :, None, None, 0], pairs[:, None, :, None, 1], pairs[:, None, None, :, 2]


class HashField(RadianceField):
    """A density network on a hash grid. Its first output is the raw density; all of them are the latent.

    ``base``, ``head``: density and colour network; ``activation``: of the raw density, a name in
    :data:`~duplex.baking.fields.field.ACTIVATIONS`; ``gain``: factor of the activated density.
    """

    def __init__(self, grid: HashGrid, base: Perceptron, head: Perceptron, activation: str, gain: float):
        super().__init__()
        self.grid = grid
        self.base = base
        self.head = head
        self.activation = activation
        self.gain = gain

    def place(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Points (n, 3) of field space in the unit cube of the grid, and which of them (n,) bool may have density."""
        raise NotImplementedError

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        unit, inside = self.place(points)
        where = torch.nonzero(inside)[:, 0]
        raw = self.base(self.grid(unit[where]))
        sigma = points.new_zeros(len(points))
        latent = points.new_zeros(len(points), raw.shape[1])
        sigma[where] = self.gain * ACTIVATIONS[self.activation](raw[:, 0])
        latent[where] = raw
        return sigma, latent

    def describe(self) -> dict[str, str]:  # noqa: D102
        base, head = self.base, self.head
        return {
            "network": f"{base.depth} layers of {base.hidden} for density, {head.depth} of {head.hidden} for colour",
            "encoding": self.grid.describe(),
            "view encoding": f"{HARMONICS} spherical harmonics",
            "density": self.activation,
        }
