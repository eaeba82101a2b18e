"""Real spherical harmonics of degrees 0 to 4, in the order and with the signs of svox, PlenOctree and svox2.

Alphabet: ``l`` the degree, ``m`` the order, running from ``-l`` to ``l`` within a degree. Each is the square root
of 2 times the imaginary (``m < 0``) or real part (``m > 0``) of the complex harmonic of order ``|m|``, with the
Condon-Shortley phase: hence the minus signs of odd orders.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

COUNTS = (1, 4, 9, 16, 25)  # harmonics up to the degrees 0 to 4


def spherical_harmonics(directions: Tensor, count: int) -> Tensor:
    """The first ``count`` harmonics (one of :data:`COUNTS`) at unit ``directions`` (n, 3): (n, count)."""
    x, y, z = directions.unbind(-1)
    columns = [torch.full_like(x, _root(1 / 4))]
    for degree in DEGREES[: COUNTS.index(count)]:
        columns += degree(x, y, z)
    return torch.stack(columns, -1)


def _root(fraction: float) -> float:
    """The square root of ``fraction`` / pi."""
    return math.sqrt(fraction / math.pi)


def _first(x: Tensor, y: Tensor, z: Tensor) -> list[Tensor]:
    return [-_root(3 / 4) * y, _root(3 / 4) * z, -_root(3 / 4) * x]


def _second(x: Tensor, y: Tensor, z: Tensor) -> list[Tensor]:
    return [
        _root(15 / 4) * x * y,
        -_root(15 / 4) * y * z,
        _root(5 / 16) * (3 * z * z - 1),
        -_root(15 / 4) * x * z,
        _root(15 / 16) * (x * x - y * y),
    ]


def _third(x: Tensor, y: Tensor, z: Tensor) -> list[Tensor]:
    xx, yy, zz = x * x, y * y, z * z
    return [
        -_root(35 / 32) * y * (3 * xx - yy),
        _root(105 / 4) * x * y * z,
        -_root(21 / 32) * y * (5 * zz - 1),
        _root(7 / 16) * z * (5 * zz - 3),
        -_root(21 / 32) * x * (5 * zz - 1),
        _root(105 / 16) * z * (xx - yy),
        -_root(35 / 32) * x * (xx - 3 * yy),
    ]


def _fourth(x: Tensor, y: Tensor, z: Tensor) -> list[Tensor]:
    xx, yy, zz = x * x, y * y, z * z
    return [
        _root(315 / 16) * x * y * (xx - yy),
        -_root(315 / 32) * y * z * (3 * xx - yy),
        _root(45 / 16) * x * y * (7 * zz - 1),
        -_root(45 / 32) * y * z * (7 * zz - 3),
        _root(9 / 256) * ((35 * zz - 30) * zz + 3),
        -_root(45 / 32) * x * z * (7 * zz - 3),
        _root(45 / 64) * (xx - yy) * (7 * zz - 1),
        -_root(315 / 32) * x * z * (xx - 3 * yy),
        _root(315 / 256) * (xx * (xx - 3 * yy) - yy * (3 * xx - yy)),
    ]


DEGREES: tuple[Callable[[Tensor, Tensor, Tensor], list[Tensor]], ...] = (_first, _second, _third, _fourth)
