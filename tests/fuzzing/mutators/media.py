"""Mutations of pictures and meshes: chunks of PNG files, documents and buffers of glTF binaries."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from random import Random

from fuzzing.mutators import raw, trees, values

PNG = b"\x89PNG\r\n\x1a\n"
Chunk = tuple[bytes, bytes]
CHUNKS: tuple[Chunk, ...] = (
    (b"iCCP", b"name"), (b"iCCP", b"name\0"), (b"iCCP", b"name\0\0x"), (b"iCCP", b""), (b"tRNS", b""),
    (b"tRNS", b"\0" * 6), (b"PLTE", b"\0\0\0" * 300), (b"PLTE", b"\0"),
    (b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0"), (b"eXIf", b"II*\0"),
    (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + b"\1\1" * 20), (b"zTXt", b"a"), (b"zTXt", b"a\0\0"), (b"zTXt", b"a\0\1x"),
    (b"iTXt", b"a\0\1"), (b"iTXt", b"a\0\1\0\0\0x"), (b"tEXt", b"a"), (b"tEXt", b"XML:com.adobe.xmp\0<x"),
    (b"gAMA", b"\0"), (b"gAMA", b"\0" * 4), (b"cHRM", b"\0" * 3), (b"sRGB", b""), (b"pHYs", b"\0"),
    (b"pHYs", b"\0" * 9), (b"acTL", b"\0\0\0\2\0\0\0\0"), (b"acTL", b"\0"), (b"acTL", b"\xff" * 8),
    (b"fcTL", b"\0" * 26), (b"fcTL", b"\0"), (b"fdAT", b"\0"), (b"fdAT", b"\0\0\0\0x"), (b"IDAT", b""),
    (b"IDAT", b"x"), (b"IHDR", b"\0"), (b"IEND", b""), (b"IEND", b"x"), (b"sBIT", b"\1"), (b"XXXX", b"x"),
    (b"xxxx", b""), (b"\0\0\0\0", b""), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta tiff:Orientation=\"6\"/>"),
    (b"tEXt", b"Raw profile type exif\0\nexif\n9\nzz"), (b"zTXt", b"a\0\0" + zlib.compress(b"x" * (1 << 21), 9)),
    (b"iCCP", b"n\0\0" + zlib.compress(b"x" * (1 << 21), 9)),
)  # fmt: skip


@lru_cache(256)
def chunks_of(content: bytes) -> tuple[Chunk, ...]:
    """The chunks of a sound PNG file, none of any other."""
    found, at = [], len(PNG)
    while content.startswith(PNG) and at + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    return tuple(found)


def png(chunks: tuple[Chunk, ...]) -> bytes:
    """A PNG file of these chunks, with true lengths and checksums."""
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return PNG + b"".join(parts)


def mutated_png(content: bytes, random: Random) -> bytes:
    """A PNG file with one change in its chunks, or in its bytes."""
    chunks = chunks_of(content)
    chance = random.random()
    if not chunks or chance < 0.15:
        return raw.mutated(content, random)
    i = random.randrange(len(chunks))
    kind, data = chunks[i]
    if chance < 0.45:
        changed: tuple[Chunk, ...] = ((kind, _other_data(kind, data, random)),)
    elif chance < 0.75:
        changed = ((kind, data), random.choice(CHUNKS)) if i == 0 else (random.choice(CHUNKS), (kind, data))
    else:
        other = (random.choice((b"IDAT", b"IHDR", b"fdAT", b"tRNS")), data)
        halves = ((kind, data[: len(data) // 2]), (kind, data[len(data) // 2 :]))
        changed = random.choice(((), ((kind, data), (kind, data)), (other,), halves, (chunks[-1 - i], (kind, data))))
    return png((*chunks[:i], *changed, *chunks[i + 1 :]))


def _other_data(kind: bytes, data: bytes, random: Random) -> bytes:
    if kind == b"IHDR" and len(data) == 13 and random.random() < 0.9:
        fields = list(struct.unpack(">IIBBBBB", data))
        i = random.randrange(7)
        fields[i] = (
            values.whole(random, fields[i]) & 0xFFFFFFFF if i < 2 else random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        )
        return struct.pack(">IIBBBBB", *fields)
    if kind == b"IDAT" and random.random() < 0.5:
        try:
            return zlib.compress(raw.mutated(zlib.decompressobj().decompress(data, 1 << 20), random), 1)
        except zlib.error:
            return raw.mutated(data, random)
    return raw.mutated(data, random)


def mutated_glb(content: bytes, random: Random) -> bytes:
    """A glTF binary with one change in its document or its buffer, mostly with true lengths."""
    try:
        (size,) = struct.unpack_from("<I", content, 12)
        document, binary = content[20 : 20 + size], content[28 + size :]
    except struct.error:
        return raw.mutated(content, random)
    chance = random.random()
    if chance < 0.08:
        return raw.mutated(content, random)
    if chance < 0.3:
        binary = raw.mutated(binary, random)
    else:
        document = trees.mutated_json(document, random)
    document += b" " * (-len(document) % 4)
    lengths = [28 + len(document) + len(binary), len(document), len(binary)]
    if random.random() < 0.05:
        lengths[random.randrange(3)] = values.whole(random) & 0xFFFFFFFF
    head = struct.pack("<IIIII", 0x46546C67, 2, lengths[0], lengths[1], 0x4E4F534A)
    return head + document + struct.pack("<II", lengths[2], 0x004E4942) + binary
