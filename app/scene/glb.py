"""One triangle mesh as glTF binary: 16-bit positions and texture coordinates (KHR_mesh_quantization).

The attribute ``_SEEN`` says how far each vertex was seen (:class:`~duplex.app.scene.mesh.Mesh`).

The reader accepts the files of the writer, and float32 attributes of other tools. A file is untrusted: every offset,
count and index is checked before memory is allocated, in time linear in the size of the file.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER, Node, parse_json
from duplex.app.scene.mesh import MAX_FACES, Mesh

MAGIC = 0x46546C67
VERSION = 2
JSON_CHUNK = 0x4E4F534A
BIN_CHUNK = 0x004E4942
UNSIGNED_BYTE, UNSIGNED_SHORT, UNSIGNED_INT, FLOAT = 5121, 5123, 5125, 5126  # OpenGL component types
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963  # OpenGL buffer targets
MAX_JSON_BYTES = 1 << 20
MAX_INDEX = 0xFFFF  # of the lists in the JSON
REMEDY = "a damaged bundle; bake again"
DTYPES: dict[int, np.dtype[Any]] = {
    UNSIGNED_BYTE: np.dtype("u1"),
    UNSIGNED_SHORT: np.dtype("<u2"),
    UNSIGNED_INT: np.dtype("<u4"),
    FLOAT: np.dtype("<f4"),
}
COMPONENT_TYPES = {dtype: number for number, dtype in DTYPES.items()}
SHORT_EDGES = 5  # percentile of the edge lengths
MAX_ROUNDING = 0.02  # quantisation step, in units of that edge length
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}


def write(mesh: Mesh) -> bytes:
    """A .glb file of ``mesh``.

    Texture coordinates are quantised to 16 bits. So are positions if the rounding is small compared with the
    triangles' edges; an unbounded scene has small triangles in a large box and keeps float32.
    """
    positions, uvs, faces = mesh.positions, mesh.uvs, mesh.faces
    vertices, node = _stored_positions(positions, faces)
    texture = np.round(np.clip(uvs, 0, 1) * 65535).astype("<u2")
    indices = faces.astype("<u4" if len(positions) > 65535 else "<u2").reshape(-1)
    arrays = [vertices, texture, indices]
    attributes = {"POSITION": 0, "TEXCOORD_0": 1}
    if mesh.seen is not None:
        arrays.append(_stored_values(mesh.seen))
        attributes["_SEEN"] = 3
    views, binary = _buffer(arrays)
    document = {
        "asset": {"version": "2.0", "generator": "duplex"},
        "extensionsUsed": ["KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 2}]}],
        "accessors": _accessors(*arrays),
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    return container(document, binary)


def _stored_positions(positions: Array, faces: Array) -> tuple[Array, dict[str, Any]]:
    """Positions as stored, (v, 4) uint16 or (v, 3) float32, and the node whose transform restores them."""
    low = positions.min(0).astype(np.float64)
    scale = np.maximum(positions.max(0) - low, 1e-9).astype(np.float64) / 65535
    edges = np.linalg.norm(positions[faces[:, 0]] - positions[faces[:, 1]], axis=1)
    if not scale.max() < MAX_ROUNDING * np.percentile(edges, SHORT_EDGES):
        return positions.astype("<f4"), {"mesh": 0}
    stored = np.zeros((len(positions), 4), "<u2")  # glTF aligns attributes to 4 bytes: 3 components and padding
    stored[:, :3] = np.round((positions - low) / scale)
    return stored, {"mesh": 0, "translation": low.tolist(), "scale": scale.tolist()}


def _stored_values(values: Array) -> Array:
    """Values in [0, 1] as stored: (v, 4) uint8, of which the first column counts, since glTF aligns to 4 bytes."""
    stored = np.zeros((len(values), 4), "u1")
    stored[:, 0] = np.round(255 * values.clip(0, 1))
    return stored


def _buffer(arrays: list[Array]) -> tuple[list[dict[str, Any]], bytes]:
    """Buffer views of vertex attributes (n, k) and indices (n,), and the buffer: the arrays, padded to 4 bytes."""
    views: list[dict[str, Any]] = []
    binary = b""
    for array in arrays:
        attribute = array.ndim == 2
        view: dict[str, Any] = {
            "buffer": 0,
            "byteOffset": len(binary),
            "byteLength": array.nbytes,
            "target": ARRAY_BUFFER if attribute else ELEMENT_ARRAY_BUFFER,
        }
        if attribute:
            view["byteStride"] = array.strides[0]
        views.append(view)
        binary += _padded(array.tobytes(), b"\0")
    return views, binary


def _accessors(vertices: Array, texture: Array, indices: Array, seen: Array | None = None) -> list[dict[str, Any]]:
    accessors: list[dict[str, Any]] = [
        {
            "bufferView": 0,
            "componentType": COMPONENT_TYPES[vertices.dtype],
            "count": len(vertices),
            "type": "VEC3",
            "min": vertices[:, :3].min(0).tolist(),
            "max": vertices[:, :3].max(0).tolist(),
        },
        {"bufferView": 1, "componentType": UNSIGNED_SHORT, "normalized": True, "count": len(texture), "type": "VEC2"},
        {
            "bufferView": 2,
            "componentType": COMPONENT_TYPES[indices.dtype],
            "count": len(indices),
            "type": "SCALAR",
        },
    ]
    if seen is not None:
        values = {"componentType": UNSIGNED_BYTE, "normalized": True, "count": len(seen), "type": "SCALAR"}
        accessors.append({"bufferView": 3, **values})
    return accessors


def container(document: dict[str, Any], binary: bytes) -> bytes:
    """The glTF binary container: header, JSON chunk, binary chunk."""
    text = _padded(json.dumps(document, separators=(",", ":")).encode(), b" ")
    header = struct.pack("<III", MAGIC, VERSION, 12 + 8 + len(text) + 8 + len(binary))
    text_header = struct.pack("<II", len(text), JSON_CHUNK)
    binary_header = struct.pack("<II", len(binary), BIN_CHUNK)
    return header + text_header + text + binary_header + binary


def _padded(content: bytes, filler: bytes) -> bytes:
    """``content`` with ``filler`` bytes up to a multiple of 4 bytes."""
    return content + filler * (-len(content) % 4)


def read(content: bytes, name: str) -> Mesh:
    """The mesh of a .glb with one triangle mesh of at most 2 million faces.

    It has float32 positions, uvs and, if the file has them, values of what was seen; int32 faces.

    Raises :class:`DuplexError`, which gives ``name``, for any other content.
    """
    try:
        text, binary = chunks(content)
        document = Node(parse_json(text), name, REMEDY)
        node, primitive = first_primitive(document)
        attributes = primitive.child("attributes")
        faces = _accessor(document, binary, primitive.whole("indices", 0, MAX_INDEX), "SCALAR", 3 * MAX_FACES)
        places = (attributes.whole(key, 0, MAX_INDEX) for key in ("POSITION", "TEXCOORD_0"))
        positions, uvs = (
            _accessor(document, binary, place, kind, len(faces))
            for place, kind in zip(places, ("VEC3", "VEC2"), strict=True)
        )
        scale, shift = node.numbers("scale", 3, (1, 1, 1)), node.numbers("translation", 3, (0, 0, 0))
        positions = (positions * scale + shift).astype(np.float32)
        sound = faces.dtype.kind == "u" and len(uvs) == len(positions) and len(faces) % 3 == 0
        if not sound or faces.max() >= len(positions) or not (_are_coordinates(positions) and _are_coordinates(uvs)):
            raise ValueError("indices, counts or coordinates do not fit")
        seen = _seen(document, binary, attributes, len(positions)) if "_SEEN" in attributes else None
    except (DuplexError, ValueError, struct.error) as error:
        reason = str(error).removeprefix(f"{name}: ").removesuffix(f": {REMEDY}")
        raise DuplexError(f"{name}: not a triangle mesh in glTF binary ({reason}): {REMEDY}") from None
    return Mesh(positions, uvs.astype(np.float32), faces.astype(np.int32).reshape(-1, 3), seen)


def chunks(content: bytes) -> tuple[bytes, memoryview]:
    """The JSON document and the binary chunk of a glTF binary container."""
    magic, version, length = struct.unpack_from("<III", content)
    if magic != MAGIC or version != VERSION or length != len(content):
        raise ValueError("no glTF 2 header of this length")
    size, kind = struct.unpack_from("<II", content, 12)
    after, kind2 = struct.unpack_from("<II", content, 20 + size)
    if size > MAX_JSON_BYTES or kind != JSON_CHUNK or kind2 != BIN_CHUNK or 28 + size + after > len(content):
        raise ValueError("chunks do not fit")
    return content[20 : 20 + size], memoryview(content)[28 + size : 28 + size + after]


def first_primitive(document: Node) -> tuple[Node, Node]:
    """The first node with a mesh, and that mesh's first primitive."""
    for node in document.elements("nodes", MAX_INDEX):
        if "mesh" in node:
            mesh = document.child("meshes").child(node.whole("mesh", 0, MAX_INDEX))
            return node, mesh.child("primitives").child(0)
    raise ValueError("no mesh")


def _accessor(document: Node, binary: memoryview, index: int, kind: str, most: int) -> Array:
    """At most ``most`` elements of an accessor, (n,) for scalars, else (n, components).

    Normalised integers become float64 in [0, 1].
    """
    accessor = document.child("accessors").child(index)
    view = document.child("bufferViews").child(accessor.whole("bufferView", 0, MAX_INDEX))
    accessor.text("type", (kind,))
    number = accessor.whole("componentType", 0, MAX_INDEX)
    if number not in DTYPES:
        raise accessor.wrong("componentType", f"one of {', '.join(map(str, DTYPES))}")
    dtype = DTYPES[number]
    size = dtype.itemsize * COMPONENTS[kind]
    count = accessor.whole("count", 1, most)
    stride = view.whole("byteStride", size, MAX_INDEX, size)
    start = view.whole("byteOffset", 0, len(binary), 0) + accessor.whole("byteOffset", 0, len(binary), 0)
    if start + stride * (count - 1) + size > len(binary):
        raise ValueError(f"accessor {index} reaches outside the file")
    data = np.ndarray((count, COMPONENTS[kind]), dtype, binary, start, (stride, dtype.itemsize))
    if accessor.flag("normalized", False):
        if dtype.kind != "u":
            raise accessor.wrong("normalized", "whole numbers for it")
        data = data / np.iinfo(dtype).max
    return data if data.shape[1] > 1 else data[:, 0]


def _seen(document: Node, binary: memoryview, attributes: Node, vertices: int) -> Array:
    """How far each vertex was seen, (vertices,) float32 in [0, 1]."""
    values = _accessor(document, binary, attributes.whole("_SEEN", 0, MAX_INDEX), "SCALAR", vertices)
    if len(values) != vertices or not (values.min() >= 0 and values.max() <= 1):
        raise ValueError("_SEEN is not a number from 0 to 1 for each vertex")
    return values.astype(np.float32)


def _are_coordinates(values: Array) -> bool:
    """Whether all ``values`` are finite and of a bounded size."""
    return bool(np.abs(values).max() < MAX_NUMBER)
