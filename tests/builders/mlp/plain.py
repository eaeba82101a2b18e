"""Random weights and NeRF's encoding, written the slow way."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def random_points(n: int = 200) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(n, 3, generator=generator) * 2 - 1
    return points, F.normalize(torch.randn(n, 3, generator=generator), dim=-1)


def encode(x: Tensor, frequencies: int) -> Tensor:
    """The paper's encoding, written the slow way."""
    parts = [x]
    for k in range(frequencies):
        parts += [torch.sin(2.0**k * x), torch.cos(2.0**k * x)]
    return torch.cat(parts, -1)


def random_state(shapes: dict[str, tuple[int, int]]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    state = {}
    for name, (outputs, inputs) in shapes.items():
        state[f"{name}.weight"] = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
        state[f"{name}.bias"] = torch.randn(outputs, generator=generator) * 0.1
    return state
