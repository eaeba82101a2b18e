"""Hash grids, spherical harmonics and small networks for one point, in numpy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Array = np.ndarray


def random_points(n: int, reach: float, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points = (torch.rand(n, 3, generator=generator) * 2 - 1) * reach
    return points, F.normalize(torch.randn(n, 3, generator=generator), dim=-1)


def harmonics(d: Array) -> list[float]:
    """Degrees 0 to 3 by their textbook polynomials, all signs positive, for one vector, unit or not."""
    x, y, z = (float(v) for v in d)
    pi = math.pi
    return [
        math.sqrt(1 / pi) / 2,
        math.sqrt(3 / (4 * pi)) * y,
        math.sqrt(3 / (4 * pi)) * z,
        math.sqrt(3 / (4 * pi)) * x,
        math.sqrt(15 / pi) / 2 * x * y,
        math.sqrt(15 / pi) / 2 * y * z,
        math.sqrt(5 / pi) / 4 * (3 * z * z - 1),
        math.sqrt(15 / pi) / 2 * x * z,
        math.sqrt(15 / pi) / 4 * (x * x - y * y),
        math.sqrt(35 / (2 * pi)) / 4 * y * (3 * x * x - y * y),
        math.sqrt(105 / pi) / 2 * x * y * z,
        math.sqrt(21 / (2 * pi)) / 4 * y * (5 * z * z - 1),
        math.sqrt(7 / pi) / 4 * z * (5 * z * z - 3),
        math.sqrt(21 / (2 * pi)) / 4 * x * (5 * z * z - 1),
        math.sqrt(105 / pi) / 4 * z * (x * x - y * y),
        math.sqrt(35 / (2 * pi)) / 4 * x * (x * x - 3 * y * y),
    ]


def hashed(cell: tuple[int, ...], entries: int) -> int:
    """Equation 4 of the paper in 32 bits."""
    value = 0
    for coordinate, prime in zip(cell, (1, 2654435761, 805459861), strict=True):
        value ^= coordinate * prime & 0xFFFFFFFF
    return value % entries


def interpolated(place: Array, entry: Callable[[tuple[int, ...]], Array], smooth: bool = False) -> Array:
    low = np.floor(place)
    share = place - low
    if smooth:
        share = share**2 * (3 - 2 * share)
    total: Any = 0.0
    for corner in itertools.product((0, 1), repeat=3):
        weight = math.prod(share[i] if bit else 1 - share[i] for i, bit in enumerate(corner))
        total = total + weight * entry(tuple(int(low[i]) + bit for i, bit in enumerate(corner)))
    return np.asarray(total)


def chain(x: Array, layers: list[tuple[Array, Array | float]]) -> Array:
    for i, (weight, bias) in enumerate(layers):
        x = weight @ x + bias
        if i + 1 < len(layers):
            x = np.maximum(x, 0)
    return x


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def random_state(shapes: dict[str, tuple[int, int]], seed: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, (outputs, inputs) in shapes.items():
        state[f"{name}.weight"] = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
        state[f"{name}.bias"] = torch.randn(outputs, generator=generator) * 0.1
    return state
