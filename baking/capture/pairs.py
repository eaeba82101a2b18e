"""Which pairs of photos are worth matching: those whose coarsest features already agree (Wu, "Towards Linear-time
Incremental Structure from Motion", 3DV 2013, section 2: preemptive matching), and neighbours in the order taken.

``n``: photos; ``k``: at most :data:`COARSE` features of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from duplex.app.core.arrays import Array

ALL_UP_TO = 40  # photos, all of whose pairs are matched
COARSE = 256  # features of each photo with the largest scales
RATIO = 0.85  # of the distances of the nearest descriptor and the second one, below which they agree
LEAST = 3  # agreeing features of a pair
PARTNERS = 24  # of each photo, those that agree best
NEIGHBOURS, FRAME_NEIGHBOURS = 3, 10  # in the order of the names, of photos and of a video's frames

Pair = tuple[int, int]


def pairs_to_match(features: Sequence[tuple[Array, Array]], of_video: bool) -> list[Pair]:
    """Pairs (i, j), i < j, of ``n`` photos; ``features``: scales (m,) and descriptors (m, 128) uint8 of each."""
    count = len(features)
    near = FRAME_NEIGHBOURS if of_video else NEIGHBOURS
    if count <= ALL_UP_TO:
        return list(combinations(range(count), 2))
    chosen = {(i, j) for i in range(count) for j in range(i + 1, min(i + near + 1, count))}
    coarse = [_coarsest(*each) for each in features]
    agreeing = np.zeros((count, count), np.int32)
    for i, j in combinations(range(count), 2):
        agreeing[i, j] = agreeing[j, i] = _agreement(coarse[i], coarse[j])
    for i in range(count):
        best = np.argsort(-agreeing[i], kind="stable")[:PARTNERS]
        chosen |= {(min(i, j), max(i, j)) for j in best.tolist() if agreeing[i, j] >= LEAST}
    return sorted(chosen)


def _coarsest(scales: Array, descriptors: Array) -> Array:
    """The descriptors (k, 128) of the largest features, float32 of unit length."""
    largest = descriptors[np.argsort(-scales, kind="stable")[:COARSE]].astype(np.float32)
    return np.asarray(largest / np.maximum(np.linalg.norm(largest, axis=1, keepdims=True), 1e-9))


def _agreement(first: Array, second: Array) -> int:
    """How many features are each other's nearest, and much nearer than the next."""
    if min(len(first), len(second)) < 2:
        return 0
    cosines = first @ second.T
    nearest = cosines.argmax(1)
    mutual = cosines.argmax(0)[nearest] == np.arange(len(first))
    best, next_best = -np.partition(-cosines, 1, axis=1)[:, :2].T
    return int((mutual & ((1 - best) < RATIO**2 * (1 - next_best))).sum())
