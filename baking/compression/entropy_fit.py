"""Fits the entropy model of wavelet coefficients to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.codec.entropy import (
    CLASSES,
    LEAST_ZERO,
    MAX_WEIGHT,
    TERMS,
    UNIT,
    Details,
    EntropyModel,
    classes_of,
    code_coarse,
    code_details,
    present_in,
    shapes_of,
)

SAMPLES = 5_000  # coefficients of a level and orientation, of each channel's
STEPS = 80
RATE = 0.15
FIRST_DECAY, SECOND_DECAY = 0.9, 0.999
FIRST_WEIGHT = 0.12
SMALLEST_SCALE = 0.02
LEAST_SHARE = 1e-6
Context = Callable[[int, Array, Array], Array]  # level, terms (n, 6) and symbols (n,), to other terms (n, 6)
MOST_SCALES = 40  # from the middle: what is smaller than exp of that would be computed slowly, as a denormal number


def fit_entropy(coarse: Array, details: Details, context: Context | None = None) -> tuple[EntropyModel, Array]:
    """The model of a shell's quantised coefficients, and the classes (k,) of its coarse band.

    ``context``: what is known of a coefficient instead of the sizes of others, in a comparison.
    """
    present, shapes = present_in(details), shapes_of(details)
    rng = np.random.default_rng(0)
    seen: dict[tuple[int, int], list[tuple[Array, Array]]] = {}

    def visit(level: int, k: int, terms: Array, symbols: Array | None) -> Array:
        assert symbols is not None
        terms = context(level, terms, symbols) if context else terms
        chosen = rng.choice(len(symbols), min(SAMPLES, len(symbols)), replace=False)
        seen.setdefault((level, k), []).append((terms[chosen], symbols[chosen]))
        return symbols

    code_details(shapes, present, visit, details)
    weights = np.zeros((len(details), 3, TERMS + 1), np.uint16)
    for (level, k), parts in seen.items():
        terms, symbols = (np.concatenate(each) for each in zip(*parts, strict=True))
        weights[level, k] = _fitted(terms, symbols)
    counts = np.zeros((CLASSES, 3))  # coefficients, those that are not 0, their sizes

    def tally(level: int, k: int, terms: Array, symbols: Array | None) -> Array:
        assert symbols is not None
        terms = context(level, terms, symbols) if context else terms
        classes, size = classes_of(weights[level, k], terms), np.abs(symbols)
        for i, values in enumerate((np.ones(len(size)), size > 0, size)):
            counts[:, i] += np.bincount(classes, values, CLASSES)
        return symbols

    code_details(shapes, present, tally, details)
    steps = np.abs(_coarse_steps(coarse))
    coarse_classes = _coarse_classes(steps, counts)
    largest = max(1, int(steps.max()), *(int(np.abs(band).max()) for level in details for band in level))
    return EntropyModel(weights, _distributions(counts), largest), coarse_classes


def _coarse_steps(coarse: Array) -> Array:
    """The symbols (k, n) of the coarse band."""
    found: list[Array] = []

    def keep(_: Array, symbols: Array | None) -> Array:
        assert symbols is not None
        found.append(symbols)
        return symbols

    code_coarse(coarse.shape[:2], np.zeros(coarse.shape[2], np.int64), keep, coarse)
    return np.stack(found)


def _coarse_classes(steps: Array, counts: Array) -> Array:
    """The class of each channel of the coarse band, by its mean size; adds its ``steps`` (k, n) to ``counts``."""
    scales = (UNIT * steps.mean(1)).clip(0, MAX_WEIGHT - 1).astype(np.int64)
    nothing = np.zeros((1, TERMS), np.int32)
    classes = np.array([classes_of(np.array([scale] + [0] * TERMS), nothing)[0] for scale in scales])
    for c, size in zip(classes, steps, strict=True):
        counts[c] += len(size), (size > 0).sum(), size.sum()
    return classes.astype(np.uint8)


def _fitted(terms: Array, symbols: Array) -> Array:
    """The weights (7,) uint16 of the scales that make ``symbols`` (n,) of ``terms`` (n, 6) most likely.

    Coefficients count as Laplace's; the weights' logarithms are found by gradient descent (Adam).
    """
    known = np.concatenate([np.ones((len(terms), 1)), terms / 16], 1).astype(np.float32)
    sizes = np.abs(symbols).astype(np.float32)
    logs, mean, square = np.full(TERMS + 1, np.log(FIRST_WEIGHT)), np.zeros(TERMS + 1), np.zeros(TERMS + 1)
    for i in range(1, STEPS + 1):
        weights = np.exp(logs)
        slope = _slopes(sizes, SMALLEST_SCALE + known @ weights.astype(np.float32))
        gradient = weights * (slope @ known) / len(sizes)
        mean = FIRST_DECAY * mean + (1 - FIRST_DECAY) * gradient
        square = SECOND_DECAY * square + (1 - SECOND_DECAY) * gradient**2
        size = np.sqrt(square / (1 - SECOND_DECAY**i)) + 1e-12
        logs = logs - RATE * mean / (1 - FIRST_DECAY**i) / size
    return np.asarray(np.round(UNIT * np.exp(logs)).clip(0, MAX_WEIGHT - 1).astype(np.uint16))


def _slopes(sizes: Array, scales: Array) -> Array:
    """The derivatives (n,) by their ``scales`` of the bits of coefficients of ``sizes``, by Laplace's distribution."""
    near, far = np.abs(sizes - 0.5), sizes + 0.5
    lower, upper = (np.exp(-np.minimum(each / scales, MOST_SCALES)) for each in (near, far))
    share = np.where(sizes < 1, 1 - upper, 0.5 * (lower - upper))
    change = np.where(sizes < 1, -far * upper, 0.5 * (near * lower - far * upper)) / scales**2
    return np.asarray(-change / (share + LEAST_SHARE))


def _distributions(counts: Array) -> Array:
    """Probability of 0 and decay of each class, (40, 2) uint16 in 1/65536, from its ``counts`` (40, 3)."""
    total, nonzero, size = counts.T
    zero = (total - nonzero + 0.5) / (total + 1)
    decay = 1 - (nonzero + 0.5) / (size + 1)
    return np.round(65536 * np.stack([zero, decay], 1)).clip(LEAST_ZERO, 65536 - LEAST_ZERO).astype(np.uint16)
