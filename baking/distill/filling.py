"""Fills the texels of what no camera saw with a smooth continuation of what was learned around it.

The features there are harmonic: each vertex has the mean of its neighbours', weighed by the inverse lengths of edges,
and vertices beside what was seen continue from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import BundleShell
from duplex.app.scene.mesh import BORDER, Mesh

FACES_AT_ONCE = 4096
PADDING = 1.0  # texels around a face that the filter reads
NEIGHBOURS = 24  # nearest points among which one of another part is looked for
TETHER = 1e-9  # weight of the mean of all known features, which parts with no neighbours take


def filled(shell: BundleShell) -> BundleShell:
    """The shell with other texels where its cameras saw nothing (``shell.mesh.seen``); those of seen faces stay."""
    mesh = shell.mesh
    if mesh.seen is None or not (mesh.seen == 1).any():
        return shell
    value = mesh.seen[mesh.faces]
    unseen = (value <= BORDER + 1e-3).all(1) & (value < BORDER - 1e-3).any(1)
    if not unseen.any():
        return shell
    planes, side = shell.texels, shell.texels.shape[1]
    texels = planes.transpose(1, 2, 0, 3).reshape(side, side, -1).copy()
    corners = mesh.uvs.astype(np.float64) * side - 0.5
    features = _continued(mesh, texels, corners)
    taken = np.zeros((side, side), bool)
    for _, rows, columns, _, _ in _texels(corners[mesh.faces[~unseen]], side):
        taken[rows, columns] = True
    faces = mesh.faces[unseen]
    for inner in (False, True):  # a face's own texels win over the padding of its neighbours
        for face, rows, columns, weights, inside in _texels(corners[faces], side):
            chosen = ~taken[rows, columns] & (inside if inner else True)
            mixed = np.einsum("nk,nkc->nc", weights[chosen], features[faces[face[chosen]]])
            texels[rows[chosen], columns[chosen]] = np.rint(mixed.clip(0, 255)).astype(np.uint8)
    stored = texels.reshape(side, side, len(planes), 4).transpose(2, 0, 1, 3)
    return replace(shell, texels=np.ascontiguousarray(stored))


def _continued(mesh: Mesh, texels: Array, corners: Array) -> Array:
    """Features (v, c) of all vertices: read where a vertex was seen, harmonic elsewhere."""
    assert mesh.seen is not None
    points, first, inverse = np.unique(mesh.positions, axis=0, return_index=True, return_inverse=True)
    vertex = inverse.reshape(-1)  # vertices are split along the borders of charts
    known = mesh.seen[first] == 1
    places = corners[first[known]].T[::-1]
    planes = np.moveaxis(texels, 2, 0)
    read = np.stack([ndimage.map_coordinates(plane, places, np.float64, 1, "nearest") for plane in planes], 1)
    graph = _linked(vertex[mesh.faces], points)
    pull = graph[~known]
    own = sparse.diags(np.asarray(pull.sum(1)).reshape(-1) + TETHER) - pull[:, ~known]
    features = np.empty((len(points), texels.shape[2]))
    features[known] = read
    right = pull[:, known] @ read + TETHER * read.mean(0)
    features[~known] = spsolve(sparse.csc_matrix(own), right).reshape(right.shape)
    return np.asarray(features[vertex])


def _linked(faces: Array, points: Array) -> sparse.csr_matrix:
    """Inverse lengths (n, n) of the edges between ``points``, and from the rim of each part to the part beside it."""
    first, second = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T.astype(np.int64)
    count = len(points)
    directed = sparse.csr_matrix((np.ones(len(first)), (first, second)), (count, count))
    part = sparse.csgraph.connected_components(directed, directed=False)[1]
    one_sided = (directed - directed.T) > 0
    rim = np.unique(np.concatenate(one_sided.nonzero()))
    if part.max() and len(rim):
        near = cKDTree(points).query(points[rim], min(NEIGHBOURS, count))[1]
        other = part[near] != part[rim, None]
        found = other.any(1)
        first = np.concatenate([first, rim[found]])
        second = np.concatenate([second, near[found, other[found].argmax(1)]])
    pairs = np.unique(np.stack([np.minimum(first, second), np.maximum(first, second)], 1), axis=0)
    low, high = pairs[pairs[:, 0] < pairs[:, 1]].T
    length = np.linalg.norm(points[low].astype(np.float64) - points[high], axis=1)
    weight = 1 / np.maximum(length, 1e-6 * max(float(length.max(initial=0)), 1e-12))
    half = sparse.csr_matrix((weight, (low, high)), (count, count))
    return sparse.csr_matrix(half + half.T)


def _texels(corners: Array, side: int) -> Iterator[tuple[Array, Array, Array, Array, Array]]:
    """The texels in or near each of the triangles ``corners`` (f, 3, 2), (x, y) in texels from the first's centre.

    In parts: triangle, row and column (n,) int64; weights (n, 3) of the corners, in [0, 1]; whether it lies inside.
    """
    for begin in range(0, len(corners), FACES_AT_ONCE):
        part = corners[begin : begin + FACES_AT_ONCE]
        low = np.floor(part.min(1) - PADDING).clip(0, side - 1).astype(np.int64)
        size = np.ceil(part.max(1) + PADDING).clip(0, side - 1).astype(np.int64) - low + 1
        total = size.prod(1)
        face = np.repeat(np.arange(len(part)), total)
        place = np.arange(len(face)) - np.repeat(np.cumsum(total) - total, total)
        columns = low[face, 0] + place % size[face, 0]
        rows = low[face, 1] + place // size[face, 0]
        weights, distance = _barycentric(part[face], np.stack([columns, rows], 1).astype(np.float64))
        near = distance >= -PADDING
        inner = weights[near].clip(0)
        inner /= inner.sum(1, keepdims=True)
        yield begin + face[near], rows[near], columns[near], inner, distance[near] >= 0


def _barycentric(corners: Array, points: Array) -> tuple[Array, Array]:
    """Barycentric coordinates (n, 3) of ``points`` (n, 2) in the triangles ``corners`` (n, 3, 2).

    And how far inside they lie, (n,): negative outside, -infinity for triangles without area.
    """
    opposite = np.roll(corners, -2, 1) - np.roll(corners, -1, 1)
    to_point = points[:, None] - np.roll(corners, -1, 1)
    doubled = opposite[..., 0] * to_point[..., 1] - opposite[..., 1] * to_point[..., 0]
    area = doubled.sum(1, keepdims=True)
    sound = np.abs(area[:, 0]) > 1e-9
    weights = doubled / np.where(sound[:, None], area, 1)
    height = np.abs(area) / np.maximum(np.linalg.norm(opposite, axis=2), 1e-12)
    return weights, np.where(sound, (weights * height).min(1), -np.inf)
