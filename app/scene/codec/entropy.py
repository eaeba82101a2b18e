"""Entropy coding of wavelet coefficients: each one's probabilities follow from the sizes of coefficients before it.

All is computed in whole numbers, so that encoder and decoder agree on every machine. A coefficient's *scale*, the mean
size that is expected of it, is a weighted sum of sizes that are known. Scales that grow by a fifth divide them into
classes, and each class has a two-sided geometric distribution, whose two numbers are in the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import constriction
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.codec.wavelet import ORIENTATIONS

CLASSES = 40
UNIT = 1 << 12  # a scale of 1
GROWTH = (6, 5)  # of the scale from class to class: 6/5
LOWEST = 164  # the scale of class 0, 0.04
TERMS = 6  # of a scale
MAX_WEIGHT = 1 << 15
LIMIT = 255  # of a size that counts
MAX_SYMBOL = 1 << 11
TOTAL_BITS = 24  # of a probability
LEAST_ZERO = 64  # of the probability of 0, in 1/65536
Details = list[tuple[Array, Array, Array]]
Code = Callable[[Array, "Array | None"], Array]  # classes (n,) and, when encoding, symbols (n,), to symbols (n,)
Visit = Callable[[int, int, Array, "Array | None"], Array]  # level, orientation, terms (n, 6), symbols, to symbols


def _thresholds() -> Array:
    """The lowest scale of each class but the first, (39,) int64."""
    scales = [LOWEST]
    for _ in range(CLASSES - 2):
        scales.append(scales[-1] * GROWTH[0] // GROWTH[1])
    return np.array(scales, np.int64)


THRESHOLDS = _thresholds()


@dataclass(frozen=True)
class EntropyModel:
    """What of the entropy coding is in the file.

    * ``weights``: (levels, 3, 7) uint16 in 1/4096: for each level, the coarsest first, and orientation, a constant and
      the weights of the :func:`_terms` of a scale.
    * ``classes``: (40, 2) uint16 in 1/65536: probability that a coefficient of the class is 0, and by which factor
      that of each larger size is smaller than that of the one before.
    * ``largest``: of all coefficients.
    """

    weights: Array
    classes: Array
    largest: int

    def tables(self) -> Array:
        """The frequencies of the symbols from ``-largest`` to ``largest``, (40, 2 largest + 1) int64, each row 2^24."""
        sizes = np.zeros((CLASSES, self.largest + 1), np.int64)
        rest = (1 << 40) - (self.classes[:, 0].astype(np.int64) << 24)
        decay = self.classes[:, 1].astype(np.int64)
        for size in range(1, self.largest + 1):  # the sizes from 1 on sum up to the rest
            share = rest * ((1 << 16) - decay) >> 16
            sizes[:, size] = share >> 1
            rest = rest - share
        sizes = np.maximum(sizes >> 40 - TOTAL_BITS, 1)
        sizes[:, 0] = (1 << TOTAL_BITS) - 2 * sizes[:, 1:].sum(1)  # and what is beyond the largest
        return np.concatenate([sizes[:, :0:-1], sizes], 1)

    @cached_property
    def distributions(self) -> list[Any]:
        """What constriction makes of each class's table."""
        categorical = constriction.stream.model.Categorical
        return [categorical(table / float(1 << TOTAL_BITS), perfect=False) for table in self.tables()]


def code_coarse(shape: tuple[int, int], classes: Array, code: Code, given: Array | None) -> Array:
    """Code the coarse band (h, w, c): differences along rows, and along the first column, of one class a channel."""
    found = np.zeros((*shape, len(classes)), np.int32)
    for c, number in enumerate(classes):
        symbols = None
        if given is not None:
            band = given[:, :, c].astype(np.int32)
            symbols = np.diff(band, axis=1, prepend=np.zeros_like(band[:, :1]))
            symbols[:, 0] = np.diff(band[:, 0], prepend=np.int32(0))
            symbols = symbols.reshape(-1)
        steps = code(np.full(shape[0] * shape[1], number), symbols).reshape(shape).copy()
        steps[:, 0] = np.cumsum(steps[:, 0])
        found[:, :, c] = np.cumsum(steps, axis=1)
    return found


def present_in(details: Details) -> Array:
    """Which bands of each channel are not all 0, (levels, 3, c) bool."""
    return np.array([[(band != 0).any((0, 1)) for band in level] for level in details])


def shapes_of(details: Details) -> list[tuple[int, int]]:
    """Height and width of each level's bands."""
    return [rows.shape[:2] for rows, _, _ in details]


def code_details(shapes: list[tuple[int, int]], present: Array, visit: Visit, given: Details) -> Details:
    """Code all details, level after level, orientation after orientation, channel after channel.

    ``shapes``: (h, w) of each level's bands, the coarsest first; ``present``: (levels, 3, c) bool, bands of a channel
    that are not all 0; ``visit``: codes the symbols (n,) of a level and orientation whose :func:`_terms` are (n, 6);
    ``given``: what to encode, or nothing. Returns the bands.
    """
    found: Details = []
    sizes: list[Array] = []
    for level, shape in enumerate(shapes):
        above = [_enlarged(each) for each in sizes]
        sizes = []
        bands = []
        for k in range(ORIENTATIONS):
            kept = np.flatnonzero(present[level, k])
            band, size = np.zeros((2, present.shape[2], *shape), np.int32)
            total, wide = np.zeros((2, *shape), np.int32)
            for i, c in enumerate(kept):
                last = size[kept[i - 1]] if i else total
                terms = _terms(
                    [each[c] for each in above[k]] if above else None, last, total, wide, i, [each[c] for each in sizes]
                )
                symbols = given[level][k][:, :, c].reshape(-1) if given else None
                band[c] = visit(level, k, terms, symbols).reshape(shape)
                size[c] = np.minimum(np.abs(band[c]), LIMIT)
                total += size[c]
                wide += _around(size[c])
            bands.append(np.moveaxis(band, 0, 2))
            sizes.append(size)
        found.append((bands[0], bands[1], bands[2]))
    return found


def _terms(
    above: list[Array] | None, last: Array, total: Array, wide: Array, before: int, beside: list[Array]
) -> Array:
    """The terms (n, 6) int32 of the scales of a channel's band (h, w), in 1/16.

    Mean size of 3 x 3 coefficients above, on the level before; of the one above; of the ``last`` channel's; of all
    ``before`` it; of these, 3 x 3; of other orientations' here and, with equal weight, 3 x 3 around.
    """
    terms = np.zeros((TERMS, *last.shape), np.int32)
    if above:
        terms[0], terms[1] = 16 * above[0] // 9, 16 * above[1]
    if before:
        terms[2], terms[3], terms[4] = 16 * last, 16 * total // before, 16 * wide // (9 * before)
    if beside:
        here = sum(beside[1:], beside[0])
        terms[5] = 8 * (9 * here + _around(here)) // (9 * len(beside))
    return terms.reshape(TERMS, -1).T


def classes_of(weights: Array, terms: Array) -> Array:
    """The classes (n,) of coefficients with ``terms`` (n, 6) and a model's ``weights`` (7,)."""
    scales = int(weights[0]) + ((terms @ weights[1:].astype(np.int32)) >> 4)
    return np.searchsorted(THRESHOLDS, scales, side="right")


def _around(sizes: Array) -> Array:
    """The sums of 3 x 3 neighbours of ``sizes`` (h, w), 0 beyond the edges."""
    rows = sizes.copy()
    rows[1:] += sizes[:-1]
    rows[:-1] += sizes[1:]
    both = rows.copy()
    both[:, 1:] += rows[:, :-1]
    both[:, :-1] += rows[:, 1:]
    return both


def _enlarged(sizes: Array) -> tuple[Array, Array]:
    """Of ``sizes`` (c, h, w): the sums around each one, and they themselves, (c, 2 h, 2 w) each."""
    wide = np.stack([_around(each) for each in sizes])
    return tuple(each.repeat(2, 1).repeat(2, 2) for each in (wide, sizes))  # type: ignore[return-value]


def _groups(classes: Array) -> tuple[Array, list[tuple[int, int, int]]]:
    """The order that brings equal ``classes`` together, and each one's number, begin and end in it."""
    order = np.argsort(classes.astype(np.uint8), kind="stable")
    ends = np.searchsorted(classes[order], np.arange(CLASSES), side="right").tolist()
    return order, [(i, a, b) for i, (a, b) in enumerate(itertools.pairwise([0, *ends])) if b > a]


class Encoder:
    """Collects symbols; :meth:`finish` gives their bytes, by asymmetric numeral systems (constriction)."""

    def __init__(self, model: EntropyModel):
        self.model = model
        self._parts: list[tuple[int, Array]] = []

    def code(self, classes: Array, symbols: Array | None) -> Array:
        """Remember ``symbols`` (n,) of ``classes`` (n,)."""
        assert symbols is not None
        order, groups = _groups(classes)
        arranged = symbols[order].astype(np.int32) + self.model.largest
        self._parts += [(i, arranged[a:b]) for i, a, b in groups]
        return symbols

    def finish(self) -> bytes:
        """The bytes of all symbols."""
        coder = constriction.stream.stack.AnsCoder()
        for i, symbols in reversed(self._parts):
            coder.encode_reverse(symbols, self.model.distributions[i])
        return bytes(coder.get_compressed().astype("<u4").tobytes())


class Decoder:
    """Reads the symbols of ``content`` in the order in which they were encoded."""

    def __init__(self, model: EntropyModel, content: bytes):
        self.model = model
        if len(content) % 4:
            raise ValueError("no whole words")
        words = np.frombuffer(content, "<u4").astype(np.uint32)
        if len(words) and not words[-1]:
            raise ValueError("a last word of 0")
        self._coder = constriction.stream.stack.AnsCoder(words)

    def code(self, classes: Array, _: Array | None = None) -> Array:
        """The next symbols (n,) int32, of ``classes`` (n,)."""
        order, groups = _groups(classes)
        arranged = np.empty(len(classes), np.int32)
        for i, a, b in groups:
            arranged[a:b] = self._coder.decode(self.model.distributions[i], b - a)
        symbols = np.empty(len(classes), np.int32)
        symbols[order] = arranged - self.model.largest
        return symbols

    def finish(self) -> None:
        """Raise ValueError unless all of the content was read."""
        if not self._coder.is_empty():
            raise ValueError("more bytes than symbols")
