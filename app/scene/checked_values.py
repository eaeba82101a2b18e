"""Validation of values from JSON files. Each function raises ValueError or TypeError for an invalid value.

Only :func:`finite_numbers` raises :class:`DuplexError`, because it knows the name of the value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER

MIN_VOLUME = 1e-18  # absolute determinant of an invertible map


def floats(values: Any, count: int) -> Array:
    """``values`` as (count,) float64, each finite and at most ``MAX_NUMBER`` in absolute value."""
    array = np.array(values, np.float64).reshape(-1)
    if len(array) != count or not np.isfinite(array).all() or np.abs(array).max() > MAX_NUMBER:
        raise ValueError(f"expected {count} finite numbers")
    return array


def triple(values: Any) -> tuple[float, float, float]:
    """Three finite numbers."""
    x, y, z = floats(values, 3)
    return float(x), float(y), float(z)


def frame(values: Any) -> Array:
    """An invertible affine map of points, (4, 4) float64, from 16 numbers in row-major order."""
    matrix = floats(values, 16).reshape(4, 4)
    if (
        not np.allclose(matrix[3], [0, 0, 0, 1], rtol=0, atol=1e-9)
        or not abs(np.linalg.det(matrix[:3, :3])) > MIN_VOLUME
    ):
        raise ValueError("a frame that is no map of points, or one without volume")
    matrix[3] = 0, 0, 0, 1  # remove rounding errors of the product that gave this matrix
    return matrix


def flag(value: Any, name: str) -> bool:
    """``value`` if it is a boolean; ``name`` is its name in the message."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")
    return value


def finite_numbers(values: Any, count: int, name: str) -> Array:
    """A list of ``count`` finite numbers as (count,) float64; raises :class:`DuplexError`, which gives ``name``."""
    flat = np.asarray(values, dtype=object).reshape(-1) if isinstance(values, list) else np.empty(0)
    if len(flat) != count or not all(isinstance(v, int | float) and abs(v) < MAX_NUMBER for v in flat):
        raise DuplexError(f"{name}: expected {count} finite number{'s' * (count > 1)}")
    return flat.astype(np.float64)
