"""Triangle meshes as glTF binary with Draco's compression (KHR_draco_mesh_compression): whole positions alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from duplex.app.core.apart import apart
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.package import installing
from duplex.app.core.tree import Node, parse_json
from duplex.app.scene import glb
from duplex.app.scene.mesh import MAX_FACES

EXTENSION = "KHR_draco_mesh_compression"
MAX_BITS = 16  # of a coordinate
SLOWEST = 10  # compression level, of the smallest files


@dataclass(frozen=True)
class Lattice:
    """A mesh on a lattice.

    ``positions``: (v, 3) uint16; ``faces``: (f, 3) int32; ``step``: the lattice's, and ``origin``: (3,) float64, where
    it begins. A vertex is at ``origin + step * position``.
    """

    positions: Array
    faces: Array
    step: float
    origin: Array

    def points(self) -> Array:
        """The vertices (v, 3) float64."""
        return self.origin + self.step * self.positions.astype(np.float64)


def write(mesh: Lattice, bits: int) -> bytes:
    """A .glb file of ``mesh``, whose positions have ``bits`` bits.

    Its vertices and faces are in an order of its own. Raises :class:`DuplexError` without DracoPy.
    """
    high = (1 << bits) - 1
    content = _draco().encode(
        mesh.positions.astype(np.float32),
        mesh.faces.astype(np.uint32),
        quantization_bits=bits,
        compression_level=SLOWEST,
        quantization_range=float(high),
        quantization_origin=[0.0, 0.0, 0.0],
    )
    found = decode(content)
    vertices, faces = int(found[0, 0]), int(found[0, 1])
    own = found[1 : 1 + vertices]
    document = {
        "asset": {"version": "2.0", "generator": "duplex"},
        "extensionsUsed": [EXTENSION],
        "extensionsRequired": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [mesh.step] * 3, "translation": mesh.origin.tolist()}],
        "meshes": [{"primitives": [_primitive_of(0)]}],
        "accessors": [
            {
                "componentType": glb.FLOAT,
                "count": vertices,
                "type": "VEC3",
                "min": own.min(0).tolist(),
                "max": own.max(0).tolist(),
            },
            {"componentType": glb.UNSIGNED_INT, "count": 3 * faces, "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": len(content)}],
        "buffers": [{"byteLength": len(content)}],
    }
    return glb.container(document, content + b"\0" * (-len(content) % 4))


def _primitive_of(view: int) -> dict[str, Any]:
    compressed = {EXTENSION: {"bufferView": view, "attributes": {"POSITION": 0}}}
    return {"attributes": {"POSITION": 0}, "indices": 1, "mode": 4, "extensions": compressed}


def read(content: bytes, name: str) -> Lattice:
    """The mesh of a .glb that :func:`write` wrote; raises :class:`DuplexError`, which gives ``name``, for others.

    Draco's decoder is C++, so it runs :func:`~duplex.app.core.apart.apart`.
    """
    try:
        text, binary = glb.chunks(content)
        document = Node(parse_json(text), name, glb.REMEDY)
        node, primitive = glb.first_primitive(document)
        entry = primitive.child("extensions").child(EXTENSION)
        view = document.child("bufferViews").child(entry.whole("bufferView", 0, glb.MAX_INDEX))
        start, length = (view.whole(key, 0, len(binary)) for key in ("byteOffset", "byteLength"))
        if start + length > len(binary):
            raise ValueError("a view beyond the file")
        scale, origin = node.numbers("scale", 3), node.numbers("translation", 3)
        if not (scale[0] > 0 and (scale == scale[0]).all()):
            raise node.wrong("scale", "one positive number thrice")
    except (DuplexError, ValueError, struct.error) as error:
        reason = str(error).removeprefix(f"{name}: ").removesuffix(f": {glb.REMEDY}")
        raise DuplexError(f"{name}: not a mesh in glTF with Draco ({reason}): {glb.REMEDY}") from None
    found = apart(decode_part, name, name, content=bytes(binary[start : start + length]))
    vertices = int(found[0, 0])
    return Lattice(found[1 : 1 + vertices].astype(np.uint16), found[1 + vertices :], float(scale[0]), origin)


def decode_part(content: bytes, name: str) -> Array:
    """As :func:`decode`; raises :class:`DuplexError`, which begins with ``name``, for what is no such mesh."""
    try:
        return decode(content)
    except DuplexError:
        raise
    except Exception as error:  # DracoPy has kinds of its own
        raise DuplexError(f"{name}: not a mesh in Draco's format ({str(error)[:80]}): {glb.REMEDY}") from None


def decode(content: bytes) -> Array:
    """The mesh of Draco's ``content``, (1 + v + f, 3) int32: numbers v, f and 0, then positions, then faces.

    Raises ValueError for positions that are no whole numbers of at most 16 bits, and for too many faces.
    """
    mesh = _draco().decode(content)
    if mesh is None or not hasattr(mesh, "faces"):
        raise ValueError("no faces")
    points, faces = np.asarray(mesh.points, np.float64).reshape(-1, 3), np.asarray(mesh.faces).reshape(-1, 3)
    if not (0 < len(faces) <= MAX_FACES and 0 < len(points) <= 3 * len(faces) and faces.max() < len(points)):
        raise ValueError("counts do not fit")
    whole = np.round(points)
    if not (np.abs(points - whole).max() < 0.01 and whole.min() >= 0 and whole.max() < 1 << MAX_BITS):
        raise ValueError("positions are not on a lattice")
    header = np.array([[len(points), len(faces), 0]])
    return np.concatenate([header, whole, faces]).astype("<i4")


def _draco() -> Any:
    try:
        import DracoPy
    except ImportError:
        raise DuplexError(f"DracoPy is not installed, which small bundles need: {installing('DracoPy')}") from None
    return DracoPy
