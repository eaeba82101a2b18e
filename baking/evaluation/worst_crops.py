"""The worst parts of the compared pictures, which a mean over a whole picture hides."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from duplex.app.core.arrays import Array
from duplex.app.core.metrics import psnr

SIDE = 128  # pixels
COUNT = 4


@dataclass(frozen=True)
class Crop:
    """A part of a compared picture.

    ``label``, ``view``: which comparison and which of its views; ``error``: mean squared; ``drawn``, ``reference``:
    (s, s, 3) float32 in [0, 1], s at most 128.
    """

    label: str
    view: int
    error: float
    drawn: Array
    reference: Array

    @property
    def psnr(self) -> float:
        """PSNR in dB."""
        return psnr(self.drawn, self.reference)


@dataclass
class WorstCrops:
    """The ``crops`` of largest error so far, the worst first, which do not overlap."""

    crops: list[Crop] = field(default_factory=list)

    def add(self, label: str, view: int, drawn: Array, reference: Array) -> None:
        """Consider a view; both pictures are (h, w, 3) float32 in [0, 1]."""
        error = ((drawn - reference) ** 2).mean(-1)
        height, width = (min(SIDE, side) for side in error.shape)
        means = ndimage.uniform_filter(error, (height, width), mode="constant")
        top, left = height // 2, width // 2
        starts = means[top : top + error.shape[0] - height + 1, left : left + error.shape[1] - width + 1].copy()
        for _ in range(COUNT):
            y, x = np.unravel_index(np.argmax(starts), starts.shape)
            if starts[y, x] < 0:
                break
            part = (slice(y, y + height), slice(x, x + width))
            self.crops.append(Crop(label, view, float(starts[y, x]), drawn[part].copy(), reference[part].copy()))
            starts[max(y - height + 1, 0) : y + height, max(x - width + 1, 0) : x + width] = -1
        self.crops = sorted(self.crops, key=lambda crop: -crop.error)[:COUNT]
