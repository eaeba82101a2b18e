"""A first look at a bundle of which only the beginning has arrived, over a network: all of it, but coarser."""

from __future__ import annotations

import json
import struct
import zlib

from duplex.app.core.errors import DuplexError
from duplex.app.scene.archive import MANIFEST, MAX_JSON_BYTES, MAX_PART_BYTES, pack

ENTRY = struct.Struct("<4s5H3I2H")  # of a ZIP's local file header
SIGNATURE = b"PK\x03\x04"
STORED, DEFLATED = 0, 8
DISPENSABLE = (".fine", "report.json", "thumbnail.webp")  # endings of parts that a coarse picture does without
EMPTY = {"report.json": b"{}"}  # all others are no bytes


def first_look(beginning: bytes) -> bytes | None:
    """A whole bundle file made of the ``beginning`` of a small one; None while too little of it has arrived.

    It has no reference pictures.

    Raises :class:`~duplex.app.core.errors.DuplexError` for the beginning of another file. What is in the parts is
    checked by whoever reads the result.
    """
    found = _part(beginning, 0, MAX_JSON_BYTES)
    if found is None:
        return None
    name, content, begin = found
    try:
        manifest = json.loads(content)
        sizes = {str(key): int(size) for key, size in manifest.pop("parts").items()}
        offsets = {str(key): int(offset) for key, offset in manifest.pop("offsets").items()}
        pictures = {str(entry["picture"]) for entry in manifest.pop("references", [])}
        if name != MANIFEST or offsets.keys() != sizes.keys() or min(offsets.values()) < 0:
            raise ValueError("other parts")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DuplexError(
            "not the beginning of a small bundle: expected one that duplex-bake compress writes"
        ) from None
    parts = {}
    for part in sizes.keys() - pictures:
        size = sizes[part]
        arrived = _part(beginning, begin + offsets[part], min(size, MAX_PART_BYTES))
        if arrived is not None and arrived[0] == part:
            parts[part] = arrived[1]
        elif part.endswith(DISPENSABLE):
            parts[part] = EMPTY.get(part, b"")
        else:
            return None
    return pack(manifest, parts)


def _part(beginning: bytes, begin: int, most: int) -> tuple[str, bytes, int] | None:
    """Name, content (``most`` bytes) and end of the entry at ``begin``; None if it has not arrived."""
    if begin + ENTRY.size > len(beginning):
        return None
    signature, _, _, method, _, _, _, packed, _, name_length, extra = ENTRY.unpack_from(beginning, begin)
    if signature != SIGNATURE or method not in (STORED, DEFLATED):
        raise DuplexError("not the beginning of a bundle")
    first = begin + ENTRY.size + name_length + extra
    if first + packed > len(beginning):
        return None
    name = beginning[begin + ENTRY.size : first - extra].decode("utf-8", "replace")
    content = beginning[first : first + packed]
    if method == DEFLATED:
        try:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, most + 1)
        except zlib.error:
            raise DuplexError(f"{name}: damaged bytes") from None
    return name, content[: most + 1], first + packed
