"""safetensors files: a JSON header, then the bytes of the tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.numpy_files import FilePart
from duplex.baking.checkpoints.formats.values import BFLOAT16, Broken, Numbers, Stored

MAX_HEADER = 16 << 20
DTYPES = {
    "F16": "f2", "BF16": BFLOAT16, "F32": "f4", "F64": "f8", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8",
    "U8": "u1", "U16": "u2", "U32": "u4", "U64": "u8", "BOOL": "b1",
}  # fmt: skip


def is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file of ``size`` bytes that begins with ``head`` (9 bytes) is one."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= min(size - 8, MAX_HEADER)


def read_safetensors(path: Path, budget: Budget) -> dict[str, Any]:
    """The tensors by name; raises :class:`Broken`."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise Broken(str(error)) from None
    if not isinstance(header, dict):
        raise Broken("a header that is no object")
    header.pop("__metadata__", None)
    budget.step(len(header))
    try:
        return {name: _tensor(path, entry, 8 + length) for name, entry in header.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise Broken(str(error)) from None


def _tensor(path: Path, entry: dict[str, Any], base: int) -> Numbers:
    start, end = entry["data_offsets"]
    if not (type(start) is type(end) is int and 0 <= start <= end):
        raise Broken("offsets that are none")
    dtype = str(entry["dtype"])
    storage = Stored(FilePart(path, base + start, end - start))
    return Numbers.dense(storage, DTYPES.get(dtype, dtype), tuple(entry["shape"]))
