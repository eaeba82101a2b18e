"""Image metrics."""

from __future__ import annotations

import math

import numpy as np

from duplex.app.core.arrays import Array


def psnr(a: Array, b: Array) -> float:
    """Peak signal-to-noise ratio in dB of two float images of equal shape, values in [0, 1]; 120 for equal images."""
    return -10 * math.log10(max(float(np.mean((a.astype(np.float64) - b) ** 2)), 1e-12))


def psnr_of_known(drawn: Array, reference: Array) -> float:
    """:func:`psnr` over the pixels where ``reference`` is finite, at least one; both images are (h, w, 3)."""
    known = np.isfinite(reference).all(-1)
    return psnr(drawn[known], reference[known])
