"""Stores a shell's mesh on a lattice: welded, in Draco's order, with charts instead of texture coordinates."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from duplex.app.core.arrays import Array
from duplex.app.scene.codec import draco
from duplex.app.scene.codec.draco import Lattice
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.app.scene.codec.shell_mesh import SEEN_STEPS, mesh_of, write_charts
from duplex.app.scene.mesh import Mesh
from duplex.baking.compression.charts import find_charts

MAX_ERROR = 1.0  # texels by which texture coordinates may differ from the mesh's own
OUTLIERS = 0.01  # share of the faces that may differ by more


def compress_mesh(mesh: Mesh, bits: int, space: MeshSpace, texels: int) -> tuple[bytes, bytes] | None:
    """The parts that :func:`~duplex.app.scene.codec.shell_mesh.read` reads, or None if they cannot hold the mesh.

    ``mesh``: in the world, with an atlas that was made in ``space``; ``bits``: of a coordinate; ``texels``: side of the
    texture. None: the atlas is no set of projections along the axes of that space.
    """
    points = space.from_world(mesh.positions.astype(np.float64))
    origin = points.min(0)
    step = float((points.max(0) - origin).max()) / ((1 << bits) - 1)
    lattice, corner_uvs, groups, seen = _welded(mesh, np.round((points - origin) / step), step, origin)
    content = draco.write(lattice, bits)
    stored = draco.read(content, "mesh")
    source, turn = _matched(lattice, stored)
    rows = np.arange(len(source))[:, None]
    wanted = corner_uvs[source][rows, (turn[:, None] + np.arange(3)) % 3]
    group = np.unique(groups[source], return_inverse=True)[1].reshape(-1)
    charts = find_charts(stored.positions, stored.faces, wanted, group)
    found = mesh_of(stored, charts, None, space)
    errors = texels * np.abs(found.uvs[found.faces] - wanted).max((1, 2))
    if np.quantile(errors, 1 - OUTLIERS) > MAX_ERROR:
        return None
    values = None
    if seen is not None:
        corner = (turn[:, None] + np.arange(3)) % 3
        values = np.zeros(len(stored.positions), np.uint8)
        values[stored.faces] = seen[lattice.faces[source][rows, corner]]
    return content, write_charts(charts, values)


def _welded(mesh: Mesh, whole: Array, step: float, origin: Array) -> tuple[Lattice, Array, Array, Array | None]:
    """The mesh on a lattice, its vertices joined where they are ``whole`` (v, 3) alike, without faces that vanish.

    Also the texture coordinates (f, 3, 2) of its faces, which of them are joined in the texture (f,), and how far its
    vertices were seen.
    """
    positions, where = np.unique(whole, axis=0, return_inverse=True)
    where = where.reshape(-1)
    faces = where[mesh.faces]
    kept = (faces != np.roll(faces, 1, 1)).all(1)
    count = len(mesh.positions)
    a, b, c = mesh.faces.T
    joined = sparse.coo_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, c])), (count, count))
    group = sparse.csgraph.connected_components(joined, directed=False)[1][mesh.faces[kept, 0]]
    seen = None
    if mesh.seen is not None:
        seen = np.full(len(positions), SEEN_STEPS, np.uint8)
        np.minimum.at(seen, where, np.floor(SEEN_STEPS * mesh.seen).astype(np.uint8))  # so a border stays one
    lattice = Lattice(positions.astype(np.uint16), faces[kept].astype(np.int32), step, origin)
    return lattice, mesh.uvs[mesh.faces[kept]], group, seen


def _matched(own: Lattice, stored: Lattice) -> tuple[Array, Array]:
    """Which face of ``own`` each of ``stored`` is, and which of its corners comes first, (f,) int64 each."""
    (first, turned), (second, back) = _keys(own), _keys(stored)
    source = np.empty(len(second), np.int64)
    source[np.lexsort(second.T)] = np.lexsort(first.T)[: len(second)]
    return source, (turned[source] - back) % 3


def _keys(mesh: Lattice) -> tuple[Array, Array]:
    """The corners of each face as numbers (f, 3), the smallest one first, and which one that is."""
    x, y, z = mesh.positions.astype(np.int64).T
    key = ((x << 32) + (y << 16) + z)[mesh.faces]
    smallest = key.argmin(1)
    return np.take_along_axis(key, (smallest[:, None] + np.arange(3)) % 3, 1), smallest
