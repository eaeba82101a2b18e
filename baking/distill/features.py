"""The feature textures during training: values in [-1, 1], rounded as in the 8 bits in which they are stored.

Memory bandwidth, not arithmetic, limits a training step with a large texture. So the mip levels are built in one table
that is reused from step to step, and the gradient of all levels goes into another, which is folded into the finest.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor, nn

LEVELS = 255


@dataclass(frozen=True)
class Mipmaps:
    """A texture and its mip levels: ``texels`` (sum of side^2, c), the finest level first, and the ``sides`` of all."""

    texels: Tensor
    sides: tuple[int, ...]

    @classmethod
    def empty(cls, like: Tensor, side: int, levels: int) -> Mipmaps:
        """Memory for at most ``levels`` levels of a texture of ``side`` x ``side`` texels ``like`` (n, c)."""
        sides = [side]
        while len(sides) < levels and sides[-1] % 2 == 0:
            sides.append(sides[-1] // 2)
        return cls(like.new_empty(sum(n * n for n in sides), like.shape[1]), tuple(sides))

    @property
    def levels(self) -> list[Tensor]:
        """Each level's texels (side, side, c)."""
        parts = torch.split(self.texels, [side * side for side in self.sides])
        return [part.view(side, side, -1) for part, side in zip(parts, self.sides, strict=True)]

    def average(self) -> Mipmaps:
        """Fill all levels but the finest, each texel with the mean of four finer texels; returns itself."""
        levels = self.levels
        for fine, coarse in itertools.pairwise(levels):
            half, channels = coarse.shape[0], coarse.shape[2]
            pairs = fine.view(half, 2, -1)  # pairs of rows: long contiguous sums
            columns = (pairs[:, 0] + pairs[:, 1]).view(half, half, 2, channels)
            torch.add(columns[:, :, 0], columns[:, :, 1], out=coarse).mul_(0.25)
        return self

    def fold(self) -> Tensor:
        """The adjoint of :meth:`average`: add each level, coarsest first, to the next finer one; (side^2, c)."""
        levels = self.levels
        for fine, coarse in reversed(list(itertools.pairwise(levels))):
            half, channels = coarse.shape[0], coarse.shape[2]
            row = (0.25 * coarse)[:, :, None].expand(half, half, 2, channels).reshape(half, 1, -1)
            fine.view(half, 2, -1).add_(row)
        return levels[0].view(-1, self.texels.shape[1])


class FeatureTexture(nn.Module):
    """A square texture of ``channels`` features; parameter ``texels`` (side * side, channels), row by row.

    ``levels``: mip levels at most; ``rounded``: whether samples are rounded to the 8 bits of the stored texture.
    """

    rounded = True

    def __init__(self, side: int, channels: int, levels: int = 1):
        super().__init__()
        self.side = side
        self.levels = levels
        self.texels = nn.Parameter(torch.zeros(side * side, channels))
        self._maps: Mipmaps | None = None

    @torch.no_grad()
    def mipmaps(self) -> Mipmaps:
        """The texels as in the exported 8-bit texture, and their mip levels; valid until the next call.

        Texels that an optimisation step has moved out of [-1, 1] are clamped.
        """
        if self._maps is None or self._maps.sides[0] != self.side or self._maps.texels.device != self.texels.device:
            self._maps = Mipmaps.empty(self.texels, self.side, self.levels)
        finest = self._maps.levels[0].view_as(self.texels)
        half = 0.5 * LEVELS
        self.texels.clamp_(-1, 1)
        if self.rounded:  # with as few passes over memory as possible
            torch.add(self.texels.new_tensor(half), self.texels, alpha=half, out=finest).round_()
            torch.add(self.texels.new_tensor(-1), finest, alpha=1 / half, out=finest)
        else:
            finest.copy_(self.texels)
        return self._maps.average()

    def forward(self, uv: Tensor, level: Tensor, dither: Tensor | None = None) -> Tensor:
        """:func:`sample` at ``uv`` (n, 2) and ``level`` (n,), that of a texture of one texel; (n, channels)."""
        return sample(self.texels, self.mipmaps(), uv, level + math.log2(self.side), dither)

    def export(self) -> Tensor:
        """The texels as (side, side, channels) uint8; value = texel / 255 * 2 - 1."""
        values = torch.round((self.texels.detach().clamp(-1, 1) + 1) * (0.5 * LEVELS))
        return values.to(torch.uint8).view(self.side, self.side, -1).cpu()


def sample(texels: Tensor, maps: Mipmaps, uv: Tensor, level: Tensor, dither: Tensor | None = None) -> Tensor:
    """Samples of ``maps`` as OpenGL's clamped trilinear filter takes them: (n, c) at ``uv`` (n, 2) and ``level`` (n,).

    Level 0 is the finest. ``texels`` (side * side, c) gets the gradient; the rounding between it and ``maps``
    counts as the identity. ``dither``: (n,) in [0, 1); with it, one of the two levels is chosen at random, in
    proportion to its weight, which halves the work.
    """
    level = level.clamp(0, len(maps.sides) - 1)
    if dither is not None:
        taken = (level + dither).floor().clamp(max=len(maps.sides) - 1)  # the sum may round up
        found = [_corners(maps, uv, taken)]
    else:
        low = level.floor()
        found = [_corners(maps, uv, low, 1 - level + low)]
        if len(maps.sides) > 1:
            found.append(_corners(maps, uv, (low + 1).clamp(max=len(maps.sides) - 1), level - low))
    rows, weights = (torch.cat(parts, -1) for parts in zip(*found, strict=True))
    return _Sampled.apply(texels, maps, rows, weights)  # type: ignore[no-any-return, no-untyped-call]


def _corners(maps: Mipmaps, uv: Tensor, level: Tensor, share: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The four texels (n, 4) of whole levels (n,) around ``uv``, and their bilinear weights times ``share`` (n,)."""
    which = level.long()
    sides = torch.tensor(maps.sides, device=uv.device)
    begins = torch.cumsum(sides * sides, 0) - sides * sides
    side, begin = sides[which, None], begins[which, None]
    place = uv * side - 0.5
    corner = place.floor()
    u, v = (place - corner).unbind(-1)
    x0, y0 = (corner[:, i].long() for i in range(2))
    columns = torch.minimum(torch.stack([x0, x0 + 1, x0, x0 + 1], -1).clamp(min=0), side - 1)
    rows = torch.minimum(torch.stack([y0, y0, y0 + 1, y0 + 1], -1).clamp(min=0), side - 1)
    weights = torch.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], -1)
    return begin + rows * side + columns, weights if share is None else weights * share[:, None]


class _Sampled(torch.autograd.Function):
    """Weighted sums (n, c) of the rows (n, k) of a texture's mip levels, weights (n, k)."""

    @staticmethod
    def forward(context: Any, texels: Tensor, maps: Mipmaps, rows: Tensor, weights: Tensor) -> Tensor:
        context.save_for_backward(rows, weights)  # not the table: the next step may overwrite it
        context.sides, context.texels = maps.sides, len(maps.texels)
        return F.embedding_bag(rows, maps.texels, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        rows, weights = context.saved_tensors
        total = _scattered(rows, weights, gradient, context.texels)
        return Mipmaps(total, context.sides).fold(), None, None, None


def _scattered(rows: Tensor, weights: Tensor, gradient: Tensor, texels: int) -> Tensor:
    """The sums (texels, c) of ``gradient`` (n, c) times ``weights`` (n, k) in ``rows`` (n, k)."""
    if gradient.device.type != "cpu":
        total = gradient.new_zeros(texels, gradient.shape[1])
        for k in range(rows.shape[1]):
            total.index_add_(0, rows[:, k], gradient * weights[:, k : k + 1])
        return total
    count, width = rows.shape  # scipy's product takes a fifth of the time of torch's sums into rows on a CPU
    starts = np.arange(0, count * width + 1, width, dtype=np.int32)
    indices = rows.reshape(-1).to(torch.int32).numpy()
    chosen = sparse.csr_matrix((weights.reshape(-1).numpy(), indices, starts), (count, texels))
    return torch.from_numpy(chosen.T @ gradient.contiguous().numpy())
