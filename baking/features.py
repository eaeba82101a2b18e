"""The feature textures while they are learned: values in [-1, 1], seen through the 8 bits they will be stored in."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 255


class FeatureTexture(nn.Module):
    """A square texture of ``channels`` features; parameter ``texels`` (side * side, channels), row by row."""

    def __init__(self, side: int, channels: int):
        super().__init__()
        self.side = side
        self.texels = nn.Parameter(torch.zeros(side * side, channels))

    def quantized(self) -> Tensor:
        """The texels as the exported 8-bit texture gives them; the gradient passes straight through."""
        clamped = self.texels.clamp(-1, 1)
        rounded = torch.round((clamped + 1) * (0.5 * LEVELS)) / (0.5 * LEVELS) - 1
        return clamped + (rounded - clamped).detach()

    def export(self) -> Tensor:
        """The texels as (side, side, channels) uint8; value = texel / 255 * 2 - 1."""
        values = torch.round((self.texels.detach().clamp(-1, 1) + 1) * (0.5 * LEVELS))
        return values.to(torch.uint8).view(self.side, self.side, -1).cpu()


def sample_bilinear(texels: Tensor, side: int, uv: Tensor) -> Tensor:
    """What OpenGL's clamped bilinear filter gives: (n, c) from ``texels`` (side * side, c) at ``uv`` (n, 2)."""
    place = uv * side - 0.5
    corner = place.floor()
    share = place - corner
    x0, y0 = (corner[:, i].long() for i in range(2))
    columns = torch.stack([x0, x0 + 1, x0, x0 + 1], -1).clamp(0, side - 1)
    rows = torch.stack([y0, y0, y0 + 1, y0 + 1], -1).clamp(0, side - 1)
    u, v = share[:, :1], share[:, 1:]
    weights = torch.cat([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], -1)
    return F.embedding_bag(rows * side + columns, texels, per_sample_weights=weights, mode="sum")
