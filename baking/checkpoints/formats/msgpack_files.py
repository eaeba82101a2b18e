"""msgpack, plain or compressed, as plain data; flax's arrays in it (extension types 1 and 3) by reference."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.values import BFLOAT16, MAX_AXES, Broken, InMemory, Numbers

GZIP, ZLIB = b"\x1f\x8b", b"\x78"
MAX_DEPTH = 64
FLAX_ARRAY, FLAX_SCALAR = 1, 3
NUMPY_NAMES = {"bool": "b1", "bfloat16": BFLOAT16} | {
    f"{name}{8 * size}": f"{kind}{size}"
    for name, kind, sizes in (("float", "f", (2, 4, 8)), ("int", "i", (1, 2, 4, 8)), ("uint", "u", (1, 2, 4, 8)))
    for size in sizes
}
FIXED: dict[int, str] = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
SIZED: dict[int, tuple[str, int]] = {  # kind of what follows, and the bytes of its length
    0xC4: ("bytes", 1), 0xC5: ("bytes", 2), 0xC6: ("bytes", 4), 0xC7: ("extension", 1), 0xC8: ("extension", 2),
    0xC9: ("extension", 4), 0xD9: ("text", 1), 0xDA: ("text", 2), 0xDB: ("text", 4), 0xDC: ("list", 2),
    0xDD: ("list", 4), 0xDE: ("map", 2), 0xDF: ("map", 4),
}  # fmt: skip
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def inflated(content: bytes, budget: Budget) -> bytes:
    """What a gzip or zlib stream holds; raises :class:`Broken`."""
    stream = zlib.decompressobj(wbits=47)  # either header
    try:
        plain = stream.decompress(content, max(budget.bytes, 1))
    except zlib.error as error:
        raise Broken(str(error)) from None
    budget.unpack(len(plain) + (not stream.eof and bool(stream.unconsumed_tail)))
    if not stream.eof:
        raise Broken("a compressed stream without an end")
    return plain


class Unpacker:
    """Reads the one value of a msgpack file from ``content``."""

    def __init__(self, content: bytes, budget: Budget):
        self.content = memoryview(content)
        self.budget = budget
        self.place = 0

    def load(self) -> Any:
        """The value; raises :class:`Broken`, and DuplexError where the budget ends."""
        try:
            value = self._value(0)
        except (IndexError, struct.error, UnicodeDecodeError) as error:
            raise Broken(str(error)) from None
        if self.place != len(self.content):
            raise Broken("bytes behind the value")
        return value

    def _value(self, depth: int) -> Any:
        self.budget.step()
        code = self._take(1)[0]
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        if code < 0xC0:
            kind = "map" if code < 0x90 else "list" if code < 0xA0 else "text"
            return self._sized(kind, code & (0x1F if kind == "text" else 0x0F), depth)
        if code in CONSTANTS:
            return CONSTANTS[code]
        if code in FIXED:
            return struct.unpack(FIXED[code], self._take(struct.calcsize(FIXED[code])))[0]
        if 0xD4 <= code <= 0xD8:
            return self._sized("extension", 1 << (code - 0xD4), depth)
        if code not in SIZED:
            raise Broken(f"the code {code:#x}")
        kind, width = SIZED[code]
        return self._sized(kind, int.from_bytes(self._take(width), "big"), depth)

    def _sized(self, kind: str, size: int, depth: int) -> Any:
        if kind == "text":
            return str(self._take(size), "utf-8", "replace")
        if kind == "bytes":
            return self._take(size)
        if kind == "extension":
            code = self._take(1)[0]
            return self._flax(code, self._take(size), depth)
        if depth >= MAX_DEPTH:
            raise Broken("containers nested too deep")
        if kind == "list":
            return [self._value(depth + 1) for _ in range(size)]
        content = {}
        for _ in range(size):
            key = self._value(depth + 1)
            value = self._value(depth + 1)
            if isinstance(key, (str, int)):
                content[key] = value
        return content

    def _flax(self, code: int, content: memoryview, depth: int) -> Any:
        """An array or scalar of flax.serialization: a list of shape, name of the type, and bytes."""
        if code not in (FLAX_ARRAY, FLAX_SCALAR):
            return None
        parts = Unpacker(bytes(content[:0]), self.budget)
        parts.content = content
        value = parts._value(depth + 1)
        if not isinstance(value, list) or len(value) != 3:
            raise Broken("an array without its parts")
        shape, name, data = value
        if (
            not isinstance(shape, list)
            or len(shape) > MAX_AXES
            or not isinstance(name, str)
            or not isinstance(data, memoryview)
        ):
            raise Broken("an array without its parts")
        if name not in NUMPY_NAMES:
            raise Broken(f"an array of {name}")
        numbers = Numbers.dense(InMemory(data), NUMPY_NAMES[name], tuple(shape))
        if code == FLAX_ARRAY:
            return numbers
        if numbers.count != 1:
            raise Broken("a scalar of several numbers")
        return numbers.array().item()

    def _take(self, count: int) -> memoryview:
        if self.place + count > len(self.content):
            raise Broken("bytes behind the end of the file")
        part = self.content[self.place : self.place + count]
        self.place += count
        return part
