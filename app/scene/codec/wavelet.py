"""The inverse of a wavelet transform in whole numbers: that of LeGall and Tabatabai with 5 and 3 taps (JPEG 2000's).

A picture of ``h`` x ``w`` texels has a coarse band, 2^levels times smaller, and on each level three bands of details:
those along its rows (0), along its columns (1), and both (2).
"""

from __future__ import annotations

import numpy as np

from duplex.app.core.arrays import Array

ORIENTATIONS = 3


def inverse(coarse: Array, details: list[tuple[Array, Array, Array]]) -> Array:
    """The picture (h, w, c) int32 of its ``coarse`` band and ``details``, the coarsest level first, all (.., .., c)."""
    for rows, columns, both in details:
        low = _merged(coarse, rows, 1)
        coarse = _merged(low, _merged(columns, both, 1), 0)
    return coarse


def _merged(even: Array, odd: Array, axis: int) -> Array:
    """The samples whose even ones were updated and odd ones predicted, along ``axis``."""
    even, odd = (np.moveaxis(band, axis, 0) for band in (even, odd))
    merged = np.empty((2 * len(even), *even.shape[1:]), np.int32)
    first, second = merged[0::2], merged[1::2]
    first[0] = even[0] - ((2 * odd[0] + 2) >> 2)
    first[1:] = even[1:] - ((odd[:-1] + odd[1:] + 2) >> 2)
    second[:-1] = odd[:-1] + ((first[:-1] + first[1:]) >> 1)
    second[-1] = odd[-1] + first[-1]
    return np.moveaxis(merged, 0, axis)


def forward(picture: Array, levels: int) -> tuple[Array, list[tuple[Array, Array, Array]]]:
    """The bands of a ``picture`` (h, w, c) float64, the coarsest level first, before rounding."""
    details = []
    for _ in range(levels):
        low, high = _split(picture, 0)
        picture, rows = _split(low, 1)
        columns, both = _split(high, 1)
        details.append((rows, columns, both))
    return picture, details[::-1]


def _split(samples: Array, axis: int) -> tuple[Array, Array]:
    samples = np.moveaxis(samples, axis, 0)
    even, odd = samples[0::2], samples[1::2]
    odd = odd - 0.5 * (even + np.concatenate([even[1:], even[-1:]]))
    even = even + 0.25 * (odd + np.concatenate([odd[:1], odd[:-1]]))
    return np.moveaxis(even, 0, axis), np.moveaxis(odd, 0, axis)
