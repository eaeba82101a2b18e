"""Mutations that know no structure: bytes are changed, removed, repeated, moved."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from fuzzing.mutators.values import REAL, WHOLE

INTEGERS = ("<b", "<h", "<i", "<q", ">h", ">i", ">q")
FLOATS = ("<e", "<f", "<d", ">d")


def mutated(content: bytes, random: Random) -> bytes:
    """``content`` with one change."""
    return random.choice(CHANGES)(content, random) if content else random.randbytes(random.randrange(1, 40))


def _place(content: bytes, random: Random) -> int:
    """A place in the content, half of the time near its beginning, where headers are."""
    return random.randrange(len(content) if random.random() < 0.5 else min(len(content), 64))


def _run(content: bytes, random: Random) -> tuple[int, int]:
    """A stretch of the content, mostly a short one."""
    start = _place(content, random)
    return start, min(len(content), start + random.choice((1, 1, 2, 4, 8, 16, 64, len(content))))


def flipped(content: bytes, random: Random) -> bytes:
    i = _place(content, random)
    return content[:i] + bytes([content[i] ^ 1 << random.randrange(8)]) + content[i + 1 :]


def replaced(content: bytes, random: Random) -> bytes:
    start, end = _run(content, random)
    filler = random.choice((random.randbytes(end - start), b"\0" * (end - start), b"\xff" * (end - start)))
    return content[:start] + filler + content[end:]


def numbered(content: bytes, random: Random) -> bytes:
    """A number at an edge of its type, at a place that is often aligned."""
    if random.random() < 0.6:
        code = random.choice(INTEGERS)
        number = random.choice(WHOLE) & (1 << 8 * struct.calcsize(code)) - 1
        piece = number.to_bytes(struct.calcsize(code), "little" if code[0] == "<" else "big")
    else:
        code, number = random.choice(FLOATS), random.choice(REAL)
        piece = struct.pack(code, number if abs(number) < 6e4 or code[1] == "d" else float("inf"))
    i = _place(content, random) // random.choice((1, 4, 8)) * 4
    return content[:i] + piece + content[i + len(piece) :]


def removed(content: bytes, random: Random) -> bytes:
    start, end = _run(content, random)
    return content[:start] + content[end:]


def inserted(content: bytes, random: Random) -> bytes:
    i = _place(content, random)
    return content[:i] + random.randbytes(random.choice((1, 2, 4, 8, 32))) + content[i:]


def repeated(content: bytes, random: Random) -> bytes:
    start, end = _run(content, random)
    return content[:end] + content[start:end] * random.choice((1, 1, 2, 10)) + content[end:]


def moved(content: bytes, random: Random) -> bytes:
    start, end = _run(content, random)
    i = _place(content, random)
    return content[:i] + content[start:end] + content[i + end - start :]


def truncated(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    flipped, flipped, replaced, numbered, numbered, removed, inserted, repeated, moved, truncated,
)  # fmt: skip
