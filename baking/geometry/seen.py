"""What of the shells the cameras of a bake have seen: a count for each face, and a value for each vertex.

Where no camera looked, the teacher is noise and the student learned nothing. The viewer shows, fades or hides such
parts by the values (:class:`~duplex.app.scene.mesh.Mesh`). Lengths are in pixels of the reference view, so that they
suit a toy as well as the far parts of an unbounded scene.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy import sparse

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.mesh import BORDER, Mesh
from duplex.baking.geometry.gbuffers import Rasterizer

LEAST_CAMERAS = 2  # that have seen a face which counts as seen
FADING = 10.0  # pixels from the seen part to where the value is 0
AROUND = 60.0  # the same in a scene with surroundings, where photos are few
ISLAND = 16.0  # square pixels: smaller seen parts, amid what was not seen, count as unseen
FAR = 1e6  # pixels: as good as infinite
DENSITY = 3  # rays for each pixel of a camera's picture, along its width: small faces lie between its pixels
LARGEST = 800  # pixels: longer side of a picture in which faces are counted


def count_cameras(rasterizer: Rasterizer, cameras: Iterable[Camera]) -> tuple[Array, Array]:
    """How many of ``cameras`` see each face of the outer, and of the inner shell behind it: (f,) int64 each."""
    counts = [np.zeros(faces, np.int64) for faces in rasterizer.faces]
    for layers in rasterizer.each(_denser(camera) for camera in cameras):
        for count, layer in zip(counts, layers, strict=True):
            count += np.bincount(layer.face.reshape(-1) + 1, minlength=len(count) + 1)[1:] > 0
    return counts[0], counts[1]


def pixels_covered(rasterizer: Rasterizer, cameras: Iterable[Camera]) -> tuple[Array, Array]:
    """How many pixels each face of the outer and the inner shell covers where a camera sees it: (f,) float64 each.

    The mean over ``cameras``, weighed by these numbers themselves: a face is to be sharp where it is seen from near.
    """
    sums = [np.zeros((2, faces)) for faces in rasterizer.faces]
    for layers in rasterizer.each(cameras):
        for total, layer in zip(sums, layers, strict=True):
            count = np.bincount(layer.face.reshape(-1) + 1, minlength=total.shape[1] + 1)[1:].astype(np.float64)
            total += np.stack([count, count**2])
    outer, inner = (total[1] / np.maximum(total[0], 1) for total in sums)
    return outer, inner


def with_seen(shell: Mesh, counts: Array, reference: ReferenceView, reach: float = FADING) -> Mesh:
    """``shell`` with the values ``seen`` from ``counts`` (f,), the number of cameras that see each face.

    Without values if all of it was seen. ``reach``: pixels from the seen part to where the value is 0.
    """
    points, inverse = np.unique(shell.positions, axis=0, return_inverse=True)
    vertex = inverse.reshape(-1)  # vertices are split along the borders of charts
    faces = vertex[shell.faces]
    pixel = reference.distances(points.astype(np.float64)) / reference.focal
    seen = _without_islands(counts >= LEAST_CAMERAS, faces, points, pixel)
    if seen.all():
        return shell
    border = np.zeros(len(points), bool)  # or beyond it
    border[faces[~seen]] = True
    source = np.zeros(len(points), bool)
    source[faces[seen]] = True
    away = _distances(faces, points, pixel, np.flatnonzero(source), reach)
    left = _distances(faces, points, pixel, np.flatnonzero(_ends(faces, len(points)) & ~source), reach)
    left = np.minimum(left, FAR)
    share = left / np.maximum(left + away, 1e-9)  # 0 where the shell ends
    values = np.where(border, BORDER * np.minimum((1 - away / reach).clip(0, 1), share), 1.0)
    stored = np.rint(255 * values[vertex]) / 255  # as in a file
    return replace(shell, seen=stored.astype(np.float32))


def _without_islands(seen: Array, faces: Array, points: Array, pixel: Array) -> Array:
    """``seen`` (f,) without its small connected parts that have unseen neighbours."""
    part = sparse.csgraph.connected_components(_graph(faces[seen], np.ones(3 * seen.sum()), len(points)), False)[1]
    a, b, c = (points[faces[:, i]].astype(np.float64) for i in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1) / pixel[faces].mean(1) ** 2
    face_part = part[faces[:, 0]]
    total = np.bincount(face_part[seen], area[seen], part.max() + 1)
    at_unseen = np.zeros(len(points), bool)
    at_unseen[faces[~seen]] = True
    has_neighbours = np.bincount(part[at_unseen], minlength=len(total)) > 0
    return np.asarray(seen & ~((total < ISLAND) & has_neighbours)[face_part])


def _ends(faces: Array, count: int) -> Array:
    """Which of ``count`` points (count,) bool lie on an edge of a single face, where the shell is cut off."""
    ends = np.sort(np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2), 1).astype(np.int64)
    edges, times = np.unique(ends[:, 0] * count + ends[:, 1], return_counts=True)
    open_edges = edges[times == 1]
    found = np.zeros(count, bool)
    found[np.concatenate([open_edges // count, open_edges % count])] = True
    return found


def _distances(faces: Array, points: Array, pixel: Array, sources: Array, limit: float) -> Array:
    """The distance of each point (n,) from the nearest of ``sources`` along edges, pixels; infinite above ``limit``."""
    ends = np.stack([faces, np.roll(faces, -1, 1)]).reshape(2, -1)
    lengths = np.linalg.norm(points[ends[0]].astype(np.float64) - points[ends[1]], axis=1) / pixel[ends].mean(0)
    if not len(sources):
        return np.full(len(points), np.inf)
    graph = _graph(faces, lengths, len(points))
    return np.asarray(sparse.csgraph.dijkstra(graph, False, sources, limit=limit, min_only=True))


def _graph(faces: Array, weights: Array, count: int) -> sparse.csr_matrix:
    """The edges of ``faces`` between ``count`` points; ``weights``: of first, second and third edge, face by face."""
    rows, columns = faces.reshape(-1), np.roll(faces, -1, 1).reshape(-1)
    keys, first = np.unique(rows.astype(np.int64) * count + columns, return_index=True)  # an edge once, not its sum
    return sparse.csr_matrix((weights[first], (keys // count, keys % count)), (count, count))


def _denser(camera: Camera) -> Camera:
    """``camera`` with more pixels, unless it has many already."""
    factor = min(DENSITY, LARGEST / max(camera.width, camera.height))
    return camera.resized(max(round(factor * camera.width), 1), max(round(factor * camera.height), 1))
