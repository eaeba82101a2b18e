"""Finds the charts of a shell whose atlas is a set of orthographic projections."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from duplex.app.core.arrays import Array
from duplex.app.scene.codec.charts import (
    DIRECTIONS,
    FRACTION_BITS,
    STEPS,
    Charts,
    charts_of,
    directions_of,
    projected,
)
from duplex.app.scene.mesh import adjacent_faces

MAX_LAYERS = 256 // DIRECTIONS
NEARLY = 16  # steps of a texture coordinate: errors that differ by less are as if equal


def find_charts(positions: Array, faces: Array, uvs: Array, group: Array) -> Charts:
    """The charts of a mesh.

    ``positions``: (v, 3) whole numbers of at most 16 bits; ``faces``: (f, 3); ``uvs``: (f, 3, 2) in [0, 1], those of
    each face's corners; ``group``: (f,) int64, which faces belong together in the texture. Each face's direction is
    the one, of six, along which its group is projected with the smallest error, and which most of its faces look along.
    """
    count = int(group.max()) + 1
    corners = positions[faces].astype(np.float64)
    wanted = uvs.astype(np.float64) * STEPS
    looks = directions_of(positions, faces)
    direction = _directions(corners, wanted, group, looks, count)[group]
    kinds = direction + DIRECTIONS * _layers(faces, direction, group, count)[group]
    chart = charts_of(faces, kinds)
    labels = (direction - looks) % DIRECTIONS + DIRECTIONS * (kinds // DIRECTIONS)
    first = np.unique(chart, return_index=True)[1]
    return Charts(labels.astype(np.uint8), _maps(corners, wanted, chart, direction[first]))


def _directions(corners: Array, wanted: Array, group: Array, looks: Array, count: int) -> Array:
    """The direction of each group (count,) int64."""
    votes = np.stack([np.bincount(group, looks == i, count) for i in range(DIRECTIONS)], 1)
    fits = [_fitted(corners, wanted, group, np.full(count, axis))[1] for axis in range(3)]
    errors = np.stack(fits, 1)
    close = errors <= errors.min(1, keepdims=True) + NEARLY
    return np.asarray((votes - 1e9 * ~np.tile(close, 2)).argmax(1))


def _fitted(corners: Array, wanted: Array, chart: Array, direction: Array) -> tuple[Array, Array]:
    """The similarity of each chart, and its largest error in steps, (charts,).

    The similarity is (charts, 3) complex128: factor, shift, and whether it is mirrored.
    """
    owner, count = chart.repeat(3), len(direction)
    p, q = projected(corners.reshape(-1, 3), direction[owner]).T
    goal = wanted.reshape(-1, 2) @ np.array([1, 1j])
    share = 1 / np.bincount(owner, minlength=count)

    def sums(values: Array) -> Array:
        return np.bincount(owner, values.real, count) + 1j * np.bincount(owner, values.imag, count)

    best, least = np.zeros((count, 3), complex), np.full(count, np.inf)
    center = share * sums(goal)
    for mirrored in (0, 1):
        plane = p + (1j - 2j * mirrored) * q
        middle = share * sums(plane)
        moved = plane - middle[owner]
        factor = sums(np.conj(moved) * goal) / np.maximum(sums(np.abs(moved) ** 2).real, 1e-9)
        found = np.stack([factor, center - factor * middle, np.full(count, mirrored)], 1)
        errors = np.zeros(count)
        np.maximum.at(errors, owner, np.abs(found[owner, 0] * plane + found[owner, 1] - goal))
        better = errors < least
        best[better], least[better] = found[better], errors[better]
    return best, least


def _layers(faces: Array, direction: Array, group: Array, count: int) -> Array:
    """The layer of each group (count,) int64: adjacent groups of one direction have different ones."""
    p, q = adjacent_faces(faces)
    between = (group[p] != group[q]) & (direction[p] == direction[q])
    near = sparse.coo_matrix((np.ones(between.sum()), (group[p[between]], group[q[between]])), (count, count))
    near = (near + near.T).tocsr()
    layer = np.zeros(count, np.int64)
    for i in np.flatnonzero(np.diff(near.indptr)):
        others = near.indices[near.indptr[i] : near.indptr[i + 1]]
        taken = set(layer[others[others < i]].tolist())
        layer[i] = next(k for k in range(MAX_LAYERS) if k not in taken or k == MAX_LAYERS - 1)
    return layer


def _maps(corners: Array, wanted: Array, chart: Array, direction: Array) -> Array:
    """The similarities of all charts in fixed point, (charts, 5) int32, moved so that no corner leaves the texture."""
    best, _ = _fitted(corners, wanted, chart, direction)
    factor = np.round(best[:, 0] * (1 << FRACTION_BITS))
    owner = chart.repeat(3)
    p, q = projected(corners.reshape(-1, 3), direction[owner]).T
    placed = factor[owner] * (p + (1j - 2j * best[owner, 2].real) * q) / (1 << FRACTION_BITS)
    placed = np.stack([np.floor(placed.real), np.floor(placed.imag)], 1)
    shift = np.stack([np.bincount(owner, wanted.reshape(-1, 2)[:, i] - placed[:, i]) for i in range(2)], 1)
    shift = np.round(shift / np.bincount(owner)[:, None])
    low, high = np.full(shift.shape, float(STEPS)), np.zeros(shift.shape)
    np.minimum.at(low, owner, placed + shift[owner])
    np.maximum.at(high, owner, placed + shift[owner])
    shift += np.maximum(-low, 0) - np.maximum(high - STEPS, 0)
    return np.stack([factor.real, factor.imag, best[:, 2].real, *shift.T], 1).astype(np.int32)
