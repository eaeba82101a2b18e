"""Structural dissimilarity, a loss beside the squared error."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def dssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural dissimilarity ``(1 - SSIM) / 2`` (n, 1, h, w) of two pictures (n, c, h, w) in [0, 1].

    SSIM after Wang et al., 2004, in windows of 7 x 7 pixels, as far as they lie inside the picture.
    """

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 7, stride=1, padding=3, count_include_pad=False)

    mean_a, mean_b = mean(a), mean(b)
    spread = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    together = mean(a * b) - mean_a * mean_b
    first, second = 0.01**2, 0.03**2
    found = (2 * mean_a * mean_b + first) * (2 * together + second)
    found = found / ((mean_a**2 + mean_b**2 + first) * (spread + second))
    return 0.5 * (1 - found).mean(1, keepdim=True)
