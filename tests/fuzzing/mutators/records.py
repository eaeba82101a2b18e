"""Mutations of COLMAP's binary files: fields of records, and whole records."""

from __future__ import annotations

import struct
from random import Random

from fuzzing.mutators import raw, values

FIELDS = {
    "cameras.bin": "iiQQdddd",
    "images.bin": "i7di",
    "points3D.bin": "Q3d3BdQ",
}


def mutated(name: str, content: bytes, random: Random) -> bytes:
    """The file with one change: of a field somewhere, of the number of records, or of bytes."""
    layout = struct.Struct("<" + FIELDS[name])
    chance = random.random()
    if chance < 0.3 or len(content) < 8 + layout.size:
        return raw.mutated(content, random)
    if chance < 0.4:
        return struct.pack("<Q", values.whole(random, content[0]) & (1 << 64) - 1) + content[8:]
    if chance < 0.5:
        return content + content[8:] * random.choice((1, 5))
    start = 8 if random.random() < 0.6 else random.randrange(8, len(content) - layout.size + 1)
    row = list(layout.unpack_from(content, start))
    i = random.randrange(len(row))
    row[i] = values.real(random, row[i]) if isinstance(row[i], float) else values.whole(random, row[i])
    return content[:start] + _packed(row, layout) + content[start + layout.size :]


def _packed(row: list[int | float], layout: struct.Struct) -> bytes:
    """The record, its whole numbers cut down to their fields."""
    try:
        return layout.pack(*row)
    except struct.error:
        return layout.pack(*(x if isinstance(x, float) else int(x) & 0x7F for x in row))
