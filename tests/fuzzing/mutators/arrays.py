"""Mutations of array files: ``.npy`` headers and safetensors."""

from __future__ import annotations

import ast
import json
import struct
from random import Random
from typing import Any

from fuzzing.mutators import pickles, raw, trees, values

MAGIC = b"\x93NUMPY"
DESCRIPTIONS: tuple[Any, ...] = (
    "<f4", "<f8", "<f2", ">f4", ">f8", "<i4", ">i4", "<i8", "|u1", "|b1", "<u2", "<u8", "<c8", "<c16", "<f16", "|O",
    "O", "|V8", "|V0", "<U0", "<U5", "|S3", "|S0", "<M8[s]", "<m8", "<M8", "V999999999", "<U999999999", "<f999", "x",
    "", "=f4", "f4,f4", [("a", "<f4"), ("b", "<f4")], [("a", "|O")], ["a", ["b"]], [("a", "<f4", (9, 9))],
    ("<f4", (2,)), 3, None, [], {"a": 1}, [("a", [("b", [("c", "|O")])])], [("", "<f4")],
    [("a", "<f4"), ("a", "<f4")], "(1000000000,)f4", "{}f4",
)  # fmt: skip
ODD_HEADERS = (
    "{}", "[]", "{'descr': '<f4'}", "(" * 300, "{" * 3000, "-" * 3000 + "1", "9**9**9", "'a'*10**9", "\0", "1e999",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "{**{}}", "__import__('os')",
    "0x" + "f" * 3000,
)  # fmt: skip


def mutated_npy(content: bytes, random: Random) -> bytes:
    """An ``.npy`` file with a changed header, or with changed data."""
    try:
        head, end = _header(content)
    except (ValueError, SyntaxError, struct.error, TypeError, MemoryError, RecursionError):
        return raw.mutated(content, random)
    data = content[end:]
    chance = random.random()
    if chance < 0.3:
        changed = pickles.mutated(data, random) if "O" in str(head.get("descr")) else raw.mutated(data, random)
        return content[:end] + changed
    if chance < 0.4:
        return raw.mutated(content[:end], random) + data
    text = random.choice(ODD_HEADERS) if chance < 0.45 else repr(_changed_header(head, random))
    return npy(text, data, random.choice((1, 1, 1, 2, 3)))


def _header(content: bytes) -> tuple[dict[str, Any], int]:
    wide = content[6:7] != b"\1"
    (size,) = struct.unpack_from("<I" if wide else "<H", content, 8)
    start = 12 if wide else 10
    head = ast.literal_eval(content[start : start + size].decode("latin1").strip())
    if not content.startswith(MAGIC) or not isinstance(head, dict):
        raise ValueError
    return head, start + size


def npy(header: str, data: bytes, version: int = 1) -> bytes:
    """An ``.npy`` file with this text as its header."""
    text = header.encode("utf-8", "replace") + b"\n"
    return (
        MAGIC
        + bytes([version, 0])
        + (struct.pack("<H", len(text) & 0xFFFF) if version == 1 else struct.pack("<I", len(text)))
        + text
        + data
    )


def _changed_header(head: dict[str, Any], random: Random) -> dict[str, Any]:
    kind = random.randrange(6)
    shape = list(head["shape"]) if isinstance(head.get("shape"), tuple) else [3]
    if kind == 0:
        return head | {"descr": random.choice(DESCRIPTIONS)}
    if kind == 1:
        return head | {"fortran_order": random.choice((True, False, 1, 0, None, "x"))}
    if kind == 2:
        changed = trees.mutated(shape, random)
        return head | {"shape": tuple(changed) if isinstance(changed, list) else changed}
    if kind == 3:
        return {k: v for k, v in head.items() if k != random.choice(list(head))}
    if kind == 4:
        return head | {values.text(random): values.whole(random)}
    place = random.randrange(len(shape) + 1)
    sides = random.choice(((0,), (1,), (-1,), (True,), (1 << 62,), (1 << 40, 1 << 40), (1,) * 40, (1 << 31, 0)))
    return head | {"shape": (*shape[:place], *sides, *shape[place:])}


def mutated_safetensors(content: bytes, random: Random) -> bytes:
    """A safetensors file with a changed header, or with changed data."""
    try:
        (size,) = struct.unpack_from("<Q", content)
        tree = json.loads(content[8 : 8 + size])
    except (ValueError, struct.error, RecursionError, MemoryError, OverflowError):
        return raw.mutated(content, random)
    data = content[8 + size :]
    chance = random.random()
    if chance < 0.35:
        return content[: 8 + size] + raw.mutated(data, random)
    if chance < 0.45:
        return struct.pack("<Q", values.whole(random, size) & (1 << 64) - 1) + content[8:]
    if chance < 0.55 and isinstance(tree, dict):
        for entry in tree.values():
            if isinstance(entry, dict) and random.random() < 0.5:
                entry["dtype"] = random.choice(
                    ("F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "C64", "X")
                )
    header = trees.mutated_json(json.dumps(tree).encode(), random)
    return struct.pack("<Q", len(header)) + header + data
