"""Texture coordinates: every face is projected along the coordinate axis that is closest to the normals around it.

A general unwrapper balances seams against stretch and takes minutes; a shell does not need that. Faces vote with their
neighbours for one of the six axis directions, connected faces of one direction become a chart, and a chart is
its own orthographic projection (stretch at most about sqrt(3), where a face stands diagonally). A chart that
folds over itself is split by depth. xatlas then only packs.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import numpy as np
import xatlas
from scipy import sparse

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import MAX_TEXTURE_SIDE
from duplex.app.scene.mesh import Mesh, adjacent_faces
from duplex.baking.geometry.locality import in_order
from duplex.baking.settings import setting

SMOOTHING = 4  # rounds of voting between neighbours
SMALL_CHART = 24  # faces
TINY_CHART = 3e-5  # share of a shell's area, about four texels of a draft's
STEEP = 0.2  # smallest cosine between a face's normal and its projection axis
FOLD_ROUNDS = 4
MAX_SHRINKS = 12
LEAST_SHARE = 1 / 64  # of the usual texels of an area that appears small, and as many more of one that appears large
MOST_KEPT = 8  # of the packer's objects
REST = 0.1  # seconds
UNSEEN_SCALE = 0.3  # of lengths in the atlas

_kept: deque[tuple[float, xatlas.Atlas]] = deque()


@dataclass(frozen=True)
class AtlasConfig:
    """How the shells are unwrapped."""

    texels: int = setting(512, "side of each square feature texture", low=64, high=MAX_TEXTURE_SIDE, power_of_two=True)
    padding: int = setting(1, "empty texels between charts", low=0, high=16)


def unwrap(shell: Mesh, config: AtlasConfig, pixels: Array | None = None) -> Mesh:
    """The shell with ``uvs`` in [0, 1]; vertices are split along chart borders.

    ``pixels``: (f,), how many pixels of a camera's picture each face covers; charts then get texels in proportion.
    Parts whose vertices have 0 as the value ``seen`` get fewer texels: nothing is learned there.
    """
    direction = _directions(shell)
    for _ in range(FOLD_ROUNDS):
        chart = _charts(adjacent_faces(shell.faces), direction)
        folded = _folded(shell, direction, chart)
        if not folded.any():
            break
        direction = direction + 6 * folded
    chart = _charts(adjacent_faces(shell.faces), direction)
    corner = shell.faces.astype(np.int64) + chart[:, None] * len(shell.positions)
    unique, first, faces = np.unique(corner, return_index=True, return_inverse=True)
    vertex = unique % len(shell.positions)
    vertex_direction = np.repeat(direction, 3)[first]
    flat, _ = _project(shell.positions[vertex], vertex_direction)
    if pixels is not None:
        flat *= _scales(shell, chart, pixels)[np.repeat(chart, 3)[first], None]
    if shell.seen is not None:
        flat[shell.seen[vertex] == 0] *= UNSEEN_SCALE
    split = Mesh(shell.positions[vertex], flat.astype(np.float32), faces.reshape(-1, 3).astype(np.int32))
    return in_order(_packed(split, chart, config))


def _scales(shell: Mesh, chart: Array, pixels: Array) -> Array:
    """By how much lengths of each chart (c,) grow, so that its area is in proportion to its ``pixels``."""
    a, b, c = (shell.positions[shell.faces[:, i]].astype(np.float64) for i in range(3))
    area = np.bincount(chart, 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1))
    density = np.bincount(chart, pixels) / np.maximum(area, 1e-12)
    usual = float(density @ area / area.sum())
    return np.asarray(np.sqrt((density / max(usual, 1e-12)).clip(LEAST_SHARE, 1 / LEAST_SHARE)))


def _directions(shell: Mesh) -> Array:
    """The projection axis of each face, (f,) int64: 0 to 5 for +x, +y, +z, -x, -y, -z."""
    count = len(shell.faces)
    a, b, c = (shell.positions[shell.faces[:, i]].astype(np.float64) for i in range(3))
    normal = np.cross(b - a, c - a)
    p, q = adjacent_faces(shell.faces)
    near = sparse.coo_matrix((np.ones(2 * len(p)), (np.r_[p, q], np.r_[q, p])), (count, count)).tocsr()
    degree = np.maximum(np.asarray(near.sum(1)).reshape(-1, 1), 1)
    smooth = normal
    for _ in range(SMOOTHING):
        smooth = 0.5 * smooth + 0.5 * (near @ smooth) / degree

    def facing(vectors: Array) -> Array:
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
        return np.concatenate([unit, -unit], 1)

    forbidden = 10.0 * (facing(normal) < STEEP)
    liking = facing(smooth)
    direction = np.argmax(liking - forbidden, 1)
    for _ in range(SMOOTHING):
        vote = np.eye(6)[direction]
        direction = np.argmax(near @ vote + 0.5 * vote + 0.5 * liking - forbidden, 1)
    for _ in range(SMOOTHING):  # small charts join a larger neighbour if they are not too steep for its axis
        size = np.bincount(chart := _charts((p, q), direction))[chart]
        vote = near @ (np.eye(6)[direction] * (size >= SMALL_CHART)[:, None])
        joined = np.argmax(vote - forbidden, 1)
        direction = np.where((size < SMALL_CHART) & (vote.max(1) > 0), joined, direction)
    area = np.linalg.norm(normal, axis=1) / max(float(np.linalg.norm(normal, axis=1).sum()), 1e-30)
    for _ in range(SMOOTHING):  # tiny ones join whatever is beside them: a seam would cost more than their few texels
        tiny = np.bincount(chart := _charts((p, q), direction), area)[chart] < TINY_CHART
        vote = near @ (np.eye(6)[direction] * ~tiny[:, None])
        direction = np.where(tiny & (vote.max(1) > 0), vote.argmax(1), direction)
    return np.asarray(direction)


def _charts(edges: tuple[Array, Array], direction: Array) -> Array:
    """The chart number of each face, (f,) int64; a chart is a set of connected faces with one axis."""
    p, q = edges
    same = direction[p] == direction[q]
    count = len(direction)
    graph = sparse.coo_matrix((np.ones(same.sum()), (p[same], q[same])), (count, count))
    return np.asarray(sparse.csgraph.connected_components(graph, directed=False)[1]).astype(np.int64)


def _project(points: Array, direction: Array) -> tuple[Array, Array]:
    """Plane coordinates (n, 2) and height (n,) of ``points`` (n, 3) along their ``direction`` (n,)."""
    axis = direction % 3
    sign = np.where(direction % 6 < 3, 1.0, -1.0)
    rows = np.arange(len(points))
    u = points[rows, (axis + 1) % 3] * sign
    return np.stack([u, points[rows, (axis + 2) % 3]], -1), points[rows, axis] * sign


def _folded(shell: Mesh, direction: Array, chart: Array) -> Array:
    """Faces (f,) bool that overlap another part of their chart from above."""
    corners = shell.positions[shell.faces].astype(np.float64)
    extent = np.linalg.norm(shell.positions.max(0) - shell.positions.min(0))
    cell = extent / 400
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    face = np.repeat(np.arange(len(corners)), 3 + np.ceil(4 * area / cell**2).astype(int))
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], len(face))[..., None]
    flat, height = _project((corners[face] * weights).sum(1), direction[face])
    place = np.floor((flat - flat.min(0)) / cell).astype(np.int64)
    key = (chart[face] * (place[:, 0].max() + 1) + place[:, 0]) * (place[:, 1].max() + 1) + place[:, 1]
    order = np.argsort(key, kind="stable")
    begins = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
    lowest = np.minimum.reduceat(height[order], begins)
    lowest = np.repeat(lowest, np.diff(np.r_[begins, len(order)]))
    above = np.zeros(len(key), bool)
    above[order] = height[order] > lowest + 2 * cell / STEEP
    return np.bincount(face[above], minlength=len(corners)) > 0


def _packed(shell: Mesh, chart: Array, config: AtlasConfig) -> Mesh:
    """The shell with its flat charts packed into the unit square at the largest scale that fits."""
    uvs = np.ascontiguousarray(shell.uvs - shell.uvs.min(0), np.float32)
    faces = shell.faces.astype(np.uint32)
    materials = chart.astype(np.uint32)[:, None]
    a, b, c = (uvs[faces[:, i]].astype(np.float64) for i in range(3))
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum()
    density = config.texels / np.sqrt(max(area, 1e-30))  # texels per unit if the charts filled the square
    best = None
    low = 0.0
    high = density
    for _ in range(8):
        packed = _pack(uvs, faces, materials, density, config)
        if max(packed.width, packed.height) <= config.texels:
            best, low = packed, density
        else:
            high = density
        density = 0.5 * (low + high) if best else density * 0.8
        if best and high - low < 0.02 * high:
            break
    for _ in range(MAX_SHRINKS):  # for a very large number of small charts
        if best is not None:
            break
        density *= 0.7
        packed = _pack(uvs, faces, materials, density, config)
        best, low = (packed, density) if max(packed.width, packed.height) <= config.texels else (None, low)
    if best is None:
        raise DuplexError(
            f"{chart.max() + 1} charts with {config.padding} texels between them do not fit into {config.texels} x "
            f"{config.texels} texels: give --texels a larger or --padding a smaller value"
        )
    vertex, new_faces, new_uvs = best.get_mesh(0)
    texel_uvs = new_uvs * np.array([best.width, best.height], np.float64)
    flat = np.ptp(uvs[vertex][new_faces], axis=1).max(1) * low
    torn = np.ptp(texel_uvs[new_faces], axis=1).max(1) > 1.5 * flat + 1  # faces without area that span two charts
    used, kept = np.unique(new_faces[~torn], return_inverse=True)
    final = (texel_uvs[used] / config.texels).astype(np.float32)
    return Mesh(shell.positions[vertex][used], final, kept.reshape(-1, 3).astype(np.int32))


def _pack(uvs: Array, faces: Array, materials: Array, density: float, config: AtlasConfig) -> xatlas.Atlas:
    atlas = xatlas.Atlas()
    atlas.add_uv_mesh(uvs, faces, materials)
    options = xatlas.PackOptions()
    options.padding = config.padding
    options.texels_per_unit = density
    options.bilinear = True
    atlas.generate(pack_options=options)
    _keep(atlas)
    return atlas


def _keep(atlas: xatlas.Atlas) -> None:
    """Keep ``atlas`` for a while, so that its threads have come to rest when it is destroyed.

    xatlas tells them to end without their lock: a thread that is just about to wait misses it and is joined forever.
    """
    _kept.append((time.monotonic(), atlas))
    while len(_kept) > MOST_KEPT:
        made, _ = _kept.popleft()
        time.sleep(max(made + REST - time.monotonic(), 0))
