"""Texture coordinates that follow from the charts of a mesh: whole numbers alone, so the same bits on every machine.

An atlas is a set of orthographic projections along coordinate axes. So a face needs a label, the axis along which it is
projected, and a chart, a set of connected faces of one label, needs the similarity that puts its projection into the
texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.mesh import adjacent_faces

DIRECTIONS = 6  # +x, +y, +z, -x, -y, -z
FRACTION_BITS = 16  # of the similarities' factors
STEPS = 65535  # of a texture coordinate
MAX_CHARTS = 1 << 17
MAX_FACTOR = 1 << 30  # of the similarities


@dataclass(frozen=True)
class Charts:
    """The charts of a mesh of ``f`` faces.

    * ``labels``: (f,) uint8, ``turn + 6 layer``: ``turn`` is added to the direction in which the face looks, modulo 6;
      adjacent charts of one direction are on different layers.
    * ``maps``: (charts, 5) int32, the similarity of each chart, in the order of their first faces: ``a``, ``b``, ``m``,
      ``s``, ``t``. With ``k = -1`` where m is 1 and 1 where it is 0, texture coordinates in steps of 1/65535 are
      ``u = (a p - k b q) / 2^16 + s`` and ``v = (b p + k a q) / 2^16 + t``, rounded down, of a position's coordinates
      p, q along the two axes that follow the chart's axis in the order x, y, z, x.
    """

    labels: Array
    maps: Array


def directions_of(positions: Array, faces: Array) -> Array:
    """The direction in which each face looks, (f,) int64: 0 to 5 for +x, +y, +z, -x, -y, -z, the first of equal ones.

    ``positions``: (v, 3) whole numbers of at most 16 bits.
    """
    a, b, c = (positions[faces[:, i]].astype(np.int64) for i in range(3))
    normal = np.cross(b - a, c - a)
    return np.asarray(np.concatenate([normal, -normal], 1).argmax(1))


def charts_of(faces: Array, kinds: Array) -> Array:
    """The chart of each face, (f,) int64, counted in the order of their first faces.

    Faces that share an edge and are of one of the ``kinds`` (f,) belong together.
    """
    p, q = adjacent_faces(faces)
    joined = kinds[p] == kinds[q]
    first = _components(len(faces), p[joined], q[joined])
    return np.asarray(np.unique(first, return_inverse=True)[1].reshape(-1))


def _components(count: int, p: Array, q: Array) -> Array:
    """The lowest member of each one's connected component, (count,) int64, of a graph with edges from p to q."""
    root = np.arange(count)
    while True:
        a, b = root[p], root[q]
        apart = a != b
        if not apart.any():
            return root
        p, q, a, b = p[apart], q[apart], a[apart], b[apart]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(above := root[root], root):
            root = above


def texture_coordinates(positions: Array, faces: Array, charts: Charts) -> tuple[Array, Array, Array]:
    """The vertices of a mesh split along the borders of its charts.

    ``positions``: (v, 3) whole numbers of at most 16 bits; ``faces``: (f, 3). Returns ``vertex`` (n,) int64, which of
    the positions each new vertex has, ``uvs`` (n, 2) uint16, and ``faces`` (f, 3) int32 of the new vertices. Raises
    ValueError for charts that do not fit the mesh or reach beyond the texture.
    """
    if len(charts.labels) != len(faces):
        raise ValueError(f"{len(charts.labels)} labels of {len(faces)} faces")
    direction = (directions_of(positions, faces) + charts.labels) % DIRECTIONS
    chart = charts_of(faces, direction + DIRECTIONS * (charts.labels // DIRECTIONS).astype(np.int64))
    if chart.max() + 1 != len(charts.maps):
        raise ValueError(f"{len(charts.maps)} charts where the labels make {chart.max() + 1}")
    corner = chart[:, None] * len(positions) + faces
    unique, first, split = np.unique(corner, return_index=True, return_inverse=True)
    vertex, chart = unique % len(positions), unique // len(positions)
    p, q = projected(positions[vertex], np.repeat(direction, 3)[first]).T
    a, b, mirrored, right, down = charts.maps[chart].astype(np.int64).T
    if ((mirrored < 0) | (mirrored > 1)).any() or max(np.abs(a).max(), np.abs(b).max()) > MAX_FACTOR:
        raise ValueError("a chart beyond its texture")
    q = (1 - 2 * mirrored) * q
    uvs = np.stack([((a * p - b * q) >> FRACTION_BITS) + right, ((b * p + a * q) >> FRACTION_BITS) + down], 1)
    if uvs.min() < 0 or uvs.max() > STEPS:
        raise ValueError("a chart beyond its texture")
    return vertex, uvs.astype(np.uint16), split.reshape(-1, 3).astype(np.int32)


def projected(positions: Array, direction: Array) -> Array:
    """Coordinates (n, 2) int64 of ``positions`` (n, 3) in the plane of their ``direction`` (n,)."""
    rows = np.arange(len(positions))
    axis = direction % 3
    return np.stack([positions[rows, (axis + 1) % 3], positions[rows, (axis + 2) % 3]], 1).astype(np.int64)
