"""The feature textures while they are learned: values in [-1, 1], seen through the 8 bits they will be stored in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 255


class FeatureTexture(nn.Module):
    """A square texture of ``channels`` features; parameter ``texels`` (side * side, channels), row by row.

    ``rounded``: whether it is seen as the 8 bits that it is stored in.
    """

    rounded = True

    def __init__(self, side: int, channels: int):
        super().__init__()
        self.side = side
        self.texels = nn.Parameter(torch.zeros(side * side, channels))

    def quantized(self) -> Tensor:
        """The texels as the exported 8-bit texture gives them; the gradient passes straight through."""
        if not self.rounded:
            return self.texels
        return _Quantized.apply(self.texels)  # type: ignore[no-any-return, no-untyped-call]

    @torch.no_grad()
    def clamp_(self) -> None:
        """Bring the texels back into [-1, 1], which an optimisation step may have left."""
        self.texels.clamp_(-1, 1)

    def export(self) -> Tensor:
        """The texels as (side, side, channels) uint8; value = texel / 255 * 2 - 1."""
        values = torch.round((self.texels.detach().clamp(-1, 1) + 1) * (0.5 * LEVELS))
        return values.to(torch.uint8).view(self.side, self.side, -1).cpu()


@dataclass(frozen=True)
class Mipmaps:
    """A texture and its halves: ``texels`` (sum of side^2, channels), the finest level first, and their ``sides``."""

    texels: Tensor
    sides: tuple[int, ...]


def mipmaps(texels: Tensor, side: int, levels: int) -> Mipmaps:
    """At most ``levels`` levels of ``texels`` (side * side, c): each texel is the mean of four of the level before."""
    parts, sides = [texels], [side]
    while len(sides) < levels and sides[-1] % 2 == 0:
        half = sides[-1] // 2
        parts.append(parts[-1].view(half, 2, half, 2, -1).mean((1, 3)).view(half * half, -1))
        sides.append(half)
    return Mipmaps(torch.cat(parts) if len(parts) > 1 else texels, tuple(sides))


def sample(maps: Mipmaps, uv: Tensor, level: Tensor, dither: Tensor | None = None) -> Tensor:
    """What OpenGL's clamped trilinear filter gives: (n, c) at ``uv`` (n, 2) and ``level`` (n,), 0 the finest.

    ``dither``: (n,) in [0, 1); with it one level is taken, by chance in proportion to its share, for half the work.
    """
    level = level.clamp(0, len(maps.sides) - 1)
    if dither is not None:
        found = [_corners(maps, uv, (level + dither).floor())]
    else:
        low = level.floor()
        found = [_corners(maps, uv, low, 1 - level + low)]
        if len(maps.sides) > 1:
            found.append(_corners(maps, uv, (low + 1).clamp(max=len(maps.sides) - 1), level - low))
    rows, weights = (torch.cat(parts, -1) for parts in zip(*found, strict=True))
    if maps.texels.device.type != "cpu":
        return F.embedding_bag(rows, maps.texels, per_sample_weights=weights, mode="sum")
    return _Weighted.apply(maps.texels, rows, weights)  # type: ignore[no-any-return, no-untyped-call]


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


class _Quantized(torch.autograd.Function):
    """Rounding to steps of 8 bits whose gradient is that of the identity."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        half = 0.5 * LEVELS
        return values.clamp(-1, 1).add_(1).mul_(half).round_().div_(half).sub_(1)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


class _Weighted(torch.autograd.Function):
    """Weighted sums of rows: (n, c) from a table (m, c), indices (n, k) and weights (n, k).

    ``embedding_bag`` does it too; on a CPU its gradient sorts the indices first and takes three times as long.
    """

    @staticmethod
    def forward(context: Any, table: Tensor, index: Tensor, weights: Tensor) -> Tensor:
        context.save_for_backward(index, weights)
        context.shape = table.shape
        return F.embedding_bag(index, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        index, weights = context.saved_tensors
        total = gradient.new_zeros(context.shape)
        for k in range(index.shape[1]):
            total.index_add_(0, index[:, k], gradient * weights[:, k : k + 1])
        return total, None, None
