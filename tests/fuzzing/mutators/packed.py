"""Mutations of msgpack and of compressed streams."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any

import msgpack
from fuzzing.mutators import raw, trees, values

# Headers that announce more than follows, nests, and types that no reader expects.
HEADERS = (
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\1", b"\x91" * 600, b"\x91" * 5000, b"\x81\xa1a" * 2000, b"\xc1", b"\xc0",
    b"\xc7\x0c\xff" + b"\xff" * 12, b"\xd6\xff\xff\xff\xff\xff", b"\x81\x90\xc0", b"\x81\x80\xc0",
    b"\xcb\x7f\xf8\0\0\0\0\0\0", b"\xca\x7f\x80\0\0", b"\xcf" + b"\xff" * 8, b"\xd3\x80" + b"\0" * 7,
    b"\xa4\xff\xfe\xfd\xfc", b"\xdc\xff\xff" + b"\x90" * 65535,
)  # fmt: skip


def mutated_msgpack(content: bytes, random: Random) -> bytes:
    """A msgpack file with one change in its tree, or in its bytes."""
    chance = random.random()
    if chance < 0.1:
        return raw.mutated(content, random)
    if chance < 0.2:
        place = random.randrange(min(len(content), random.choice((40, 1000))) or 1)
        return content[:place] + random.choice(HEADERS) + content[place + random.choice((0, 1)) :]
    try:
        tree = msgpack.unpackb(content, strict_map_key=False)
        return bytes(msgpack.packb(trees.mutated(tree, random, _leaf)))
    except (ValueError, OverflowError, RecursionError, TypeError, msgpack.UnpackException):
        return raw.mutated(content, random)


def _leaf(value: Any, random: Random) -> Any:
    if isinstance(value, bytes):
        return raw.mutated(value, random)
    if isinstance(value, msgpack.ExtType):
        if random.random() < 0.1:
            return msgpack.ExtType(random.choice((0, 1, 2, 3, 4, 127)), value.data)
        return msgpack.ExtType(value.code, mutated_msgpack(value.data, random))
    return values.text(random)


@lru_cache(256)
def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(47).decompress(content, 1 << 20)
    except zlib.error:
        return b""


def mutated_stream(content: bytes, random: Random, inner: Callable[[bytes, Random], bytes]) -> bytes:
    """A gzip or zlib stream with one change in what it holds, or in itself."""
    held = _inflated(content)
    chance = random.random()
    if not held or chance < 0.1:
        return raw.mutated(content, random)
    if chance < 0.102:  # rare, because it takes a while
        held = random.choice((b"\x90", b"\xc0", b"\x80", b"\0", b"\xdd")) * (20 << 20)
    else:
        held = inner(held, random)
    whole = zlib.compress(held, 1) if content[0] == 0x78 else gzip.compress(held, 1, mtime=0)
    return whole + content if random.random() < 0.02 else whole
