"""How many bits quantised coefficients take, and how many more each of them would take if it grew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.codec.entropy import Details, EntropyModel, classes_of, code_coarse, code_details, shapes_of
from duplex.app.scene.codec.wavelet import ORIENTATIONS
from duplex.baking.compression.entropy_fit import Context


@dataclass(frozen=True)
class Rate:
    """``bits`` of a shell's features; ``slopes``: bits for each detail (h, w, k) that grows by a quantisation step.

    A detail that is 0 or 1 has the slope between the two, and one that is larger has that of its class from there on.
    """

    bits: float
    slopes: list[Array]


def rate_of(
    coarse: Array, details: Details, model: EntropyModel, coarse_classes: Array, context: Context | None = None
) -> Rate:
    """The rate of the whole numbers ``coarse`` and ``details`` by ``model``; ``context``: as it was fitted."""
    with np.errstate(divide="ignore"):
        bits_of = -np.log2(model.tables() / model.tables().sum(1, keepdims=True)).astype(np.float32)
    middle = model.largest
    first = bits_of[:, middle + 1] - bits_of[:, middle]
    further = -np.log2(model.classes[:, 1].astype(np.float32) / (1 << 16))
    total = 0.0
    slopes = [np.zeros((*band.shape[:2], band.shape[2]), np.float32) for level in details for band in level]
    channel = [0] * len(slopes)

    def count(classes: Array, symbols: Array | None) -> Array:
        nonlocal total
        assert symbols is not None
        total += float(bits_of[classes, symbols.clip(-middle, middle) + middle].sum())
        return symbols

    def visit(level: int, k: int, terms: Array, symbols: Array | None) -> Array:
        assert symbols is not None
        classes = classes_of(model.weights[level, k], context(level, terms, symbols) if context else terms)
        i = ORIENTATIONS * level + k
        slope = np.where(np.abs(symbols) <= 1, first[classes], further[classes])
        slopes[i][:, :, channel[i]] = slope.reshape(slopes[i].shape[:2])
        channel[i] += 1
        return count(classes, symbols)

    code_coarse(coarse.shape[:2], coarse_classes, count, coarse)
    every = np.ones((len(details), ORIENTATIONS, coarse.shape[2]), bool)
    code_details(shapes_of(details), every, visit, details)
    return Rate(total, [np.maximum(slope, 0) for slope in slopes])
