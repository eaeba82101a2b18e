"""A shell's mesh of two parts: vertices on a lattice, and the charts from which texture coordinates follow."""

from __future__ import annotations

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.codec import draco
from duplex.app.scene.codec.charts import MAX_CHARTS, STEPS, Charts, texture_coordinates
from duplex.app.scene.codec.draco import Lattice
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.app.scene.mesh import Mesh

SEEN_STEPS = 15


def mesh_of(lattice: Lattice, charts: Charts, seen: Array | None, space: MeshSpace) -> Mesh:
    """The mesh, in the world, of a ``lattice`` in ``space`` and its ``charts``.

    ``seen``: (v,) uint8, 0 to 15, how far each vertex was seen, or None. Raises ValueError for parts that do not fit.
    """
    vertex, uvs, faces = texture_coordinates(lattice.positions, lattice.faces, charts)
    points = space.to_world(lattice.points()).astype(np.float32)
    values = None if seen is None else (seen[vertex] / np.float32(SEEN_STEPS)).astype(np.float32)
    return Mesh(points[vertex], (uvs / np.float64(STEPS)).astype(np.float32), faces, values)


def read(mesh: bytes, charts: bytes, space: MeshSpace, name: str) -> Mesh:
    """The mesh of both parts; raises :class:`DuplexError`, which gives ``name``, for parts that do not fit."""
    lattice = draco.read(mesh, name)
    try:
        tensors = safetensors.load(charts)
        labels, maps, seen = tensors["labels"], tensors["maps"], tensors.get("seen")
        sound = labels.dtype == np.uint8 and labels.ndim == 1 and maps.dtype == np.int32 and maps.ndim == 2
        if not sound or maps.shape[0] != 5 or maps.shape[1] > MAX_CHARTS:
            raise ValueError("other arrays")
        if seen is not None:
            fits = seen.dtype == np.uint8 and seen.shape == (len(lattice.positions),)
            if not fits or seen.max() > SEEN_STEPS:
                raise ValueError("values of other vertices")
        return mesh_of(lattice, Charts(labels, np.ascontiguousarray(maps.T)), seen, space)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        reason = str(error)[:80]
        raise DuplexError(f"{name}: charts that do not fit ({reason}): a damaged bundle; bake again") from None


def write_charts(charts: Charts, seen: Array | None) -> bytes:
    """The part of ``charts``, with ``seen`` as of :func:`mesh_of`."""
    tensors = {"labels": charts.labels, "maps": np.ascontiguousarray(charts.maps.T)}
    if seen is not None:
        tensors["seen"] = seen
    return bytes(safetensors.save(tensors))
