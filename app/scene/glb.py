"""One triangle mesh as glTF binary: 16-bit positions and texture coordinates (KHR_mesh_quantization).

The reader takes what the writer writes and, of other tools' files, float32 attributes as well; it trusts
nothing: every offset, count and index is checked before memory is taken.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError

MAGIC, VERSION, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
UNSIGNED_SHORT, UNSIGNED_INT, FLOAT = 5123, 5125, 5126
MAX_JSON_BYTES = 1 << 20
DTYPES: dict[int, np.dtype[Any]] = {
    UNSIGNED_SHORT: np.dtype("<u2"),
    UNSIGNED_INT: np.dtype("<u4"),
    FLOAT: np.dtype("<f4"),
}
MAX_ROUNDING = 0.02  # of the short edges
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}


def write(positions: Array, uvs: Array, faces: Array) -> bytes:
    """A .glb of ``positions`` (v, 3), ``uvs`` (v, 2) in [0, 1] and ``faces`` (f, 3).

    Texture coordinates are rounded to 16 bits, and so are positions where that is fine beside the triangles; a scene
    that goes on to the horizon has small triangles in a large box, and keeps float32.
    """
    low = positions.min(0).astype(np.float64)
    scale = np.maximum(positions.max(0) - low, 1e-9).astype(np.float64) / 65535
    edges = np.linalg.norm(positions[faces[:, 0]] - positions[faces[:, 1]], axis=1)
    fine = scale.max() < MAX_ROUNDING * np.percentile(edges, 5)
    if fine:
        stored = np.zeros((len(positions), 4), "<u2")  # attributes start at multiples of 4 bytes
        stored[:, :3] = np.round((positions - low) / scale)
        node: dict[str, Any] = {"mesh": 0, "translation": low.tolist(), "scale": scale.tolist()}
    else:
        stored, node = positions.astype("<f4"), {"mesh": 0}
    texture = np.round(np.clip(uvs, 0, 1) * 65535).astype("<u2")
    wide = len(positions) > 65535
    indices = faces.astype("<u4" if wide else "<u2").reshape(-1)
    chunks = [stored.tobytes(), texture.tobytes(), indices.tobytes()]
    views, offset = [], 0
    for chunk, stride in zip(chunks, (stored.strides[0], 4, None), strict=True):
        view: dict[str, Any] = {
            "buffer": 0,
            "byteOffset": offset,
            "byteLength": len(chunk),
            "target": 34962 if stride else 34963,
        }
        views.append(view | ({"byteStride": stride} if stride else {}))
        offset += len(chunk) + -len(chunk) % 4
    binary = b"".join(chunk + b"\0" * (-len(chunk) % 4) for chunk in chunks)
    document = {
        "asset": {"version": "2.0", "generator": "duplex"},
        "extensionsUsed": ["KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2}]}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": UNSIGNED_SHORT if fine else FLOAT,
                "count": len(positions),
                "type": "VEC3",
                "min": stored[:, :3].min(0).tolist(),
                "max": stored[:, :3].max(0).tolist(),
            },
            {"bufferView": 1, "componentType": UNSIGNED_SHORT, "normalized": True, "count": len(uvs), "type": "VEC2"},
            {
                "bufferView": 2,
                "componentType": UNSIGNED_INT if wide else UNSIGNED_SHORT,
                "count": len(indices),
                "type": "SCALAR",
            },
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<III", MAGIC, VERSION, 12 + 8 + len(text) + 8 + len(binary))
    return (
        header + struct.pack("<II", len(text), JSON_CHUNK) + text + struct.pack("<II", len(binary), BIN_CHUNK) + binary
    )


def read(content: bytes, name: str) -> tuple[Array, Array, Array]:
    """Positions (v, 3) and uvs (v, 2) float32 and faces (f, 3) int32 of a .glb with one mesh of triangles.

    Raises :class:`DuplexError`, with ``name`` in it, when the content is anything else.
    """
    try:
        document, binary = _chunks(content)
        node = next(n for n in document["nodes"] if "mesh" in n)
        primitive = document["meshes"][node["mesh"]]["primitives"][0]
        positions = _accessor(document, binary, primitive["attributes"]["POSITION"], "VEC3")
        uvs = _accessor(document, binary, primitive["attributes"]["TEXCOORD_0"], "VEC2")
        faces = _accessor(document, binary, primitive["indices"], "SCALAR")
        scale, shift = (
            np.array(node.get(key, value), np.float64).reshape(3)
            for key, value in (("scale", [1, 1, 1]), ("translation", [0, 0, 0]))
        )
        positions = (positions * scale + shift).astype(np.float32)
        sound = faces.dtype.kind == "u" and len(uvs) == len(positions) and len(faces) % 3 == 0 and len(faces) > 0
        if not sound or faces.max() >= len(positions) or not np.isfinite(positions).all() or not np.isfinite(uvs).all():
            raise ValueError("indices, counts or coordinates do not fit")
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        StopIteration,
        struct.error,
        RecursionError,
        OverflowError,
        AttributeError,
    ) as error:
        raise DuplexError(
            f"{name}: not a triangle mesh in glTF binary ({error}): a damaged bundle; bake again"
        ) from None
    return positions, uvs.astype(np.float32), faces.astype(np.int32).reshape(-1, 3)


def _chunks(content: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length = struct.unpack_from("<III", content)
    if magic != MAGIC or version != VERSION or length != len(content):
        raise ValueError("no glTF 2 header of this length")
    size, kind = struct.unpack_from("<II", content, 12)
    after, kind2 = struct.unpack_from("<II", content, 20 + size)
    if size > MAX_JSON_BYTES or kind != JSON_CHUNK or kind2 != BIN_CHUNK or 28 + size + after > len(content):
        raise ValueError("chunks do not fit")
    document = json.loads(content[20 : 20 + size])
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document, content[28 + size : 28 + size + after]


def _accessor(document: dict[str, Any], binary: bytes, index: int, kind: str) -> Array:
    """The elements (n,) or (n, width) of an accessor; normalised integers come as float64 in [0, 1]."""
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    if accessor["type"] != kind:
        raise ValueError(f"accessor {index} is a {accessor['type']}")
    dtype, width, count = DTYPES[accessor["componentType"]], WIDTHS[kind], int(accessor["count"])
    stride = int(view.get("byteStride", dtype.itemsize * width))
    start = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
    last = start + stride * (count - 1) + dtype.itemsize * width
    if count < 1 or start < 0 or stride < dtype.itemsize * width or last > len(binary):
        raise ValueError(f"accessor {index} reaches outside the file")
    data = np.ndarray((count, width), dtype, binary, start, (stride, dtype.itemsize))
    if accessor.get("normalized"):
        data = data / np.iinfo(dtype).max
    return data if width > 1 else data[:, 0]
