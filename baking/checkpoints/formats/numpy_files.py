"""numpy's files: ``.npy``, also those of object arrays, and ``.npz`` archives of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duplex.app.core.arrays import Array
from duplex.baking.checkpoints.formats.archives import ZipArchive
from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.constructors import text_of
from duplex.baking.checkpoints.formats.pickles import Unpickler
from duplex.baking.checkpoints.formats.torch_files import Bounded, bytes_at
from duplex.baking.checkpoints.formats.values import Broken, Numbers, Refused, Storage, Stored, resolved

NPY = b"\x93NUMPY"
MAX_HEADER = 1 << 12
MAX_SIDE = 1 << 40
MAX_ARRAYS = 4096
HEADER = re.compile(
    r"\{\s*'descr'\s*:\s*'([<>|=]?)([A-Za-z])(\d{0,4})'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,"
    r"\s*'shape'\s*:\s*\(([\d, L]{0,300})\)\s*,?\s*\}\s*"
)


@dataclass(frozen=True)
class Header:
    """What an ``.npy`` file says of its array; ``start``: offset of the numbers."""

    code: str
    big_endian: bool
    fortran: bool
    shape: tuple[int, ...]
    start: int

    def value(self, storage: Storage) -> Any:
        """The array whose bytes are in ``storage``; a text for an array of one text."""
        if self.code[0] in "US" and not self.shape:
            return text_of(self.code, storage.read().tobytes(), self.big_endian)
        return Numbers.dense(storage, self.code, self.shape, fortran=self.fortran, big_endian=self.big_endian)


def read_header(head: bytes) -> Header:
    """The header at the beginning of an ``.npy`` file, of which ``head`` is at least the first 4 KiB."""
    wide = head[6:7] in (b"\x02", b"\x03")
    start = 12 if wide else 10
    size = int.from_bytes(head[8:start], "little")
    if not head.startswith(NPY) or head[6:7] not in (b"\x01", b"\x02", b"\x03") or size > MAX_HEADER - start:
        raise Broken("no header of numpy")
    parts = HEADER.fullmatch(head[start : start + size].decode("latin1"))
    if parts is None:
        raise Broken("an array of structures, or a damaged header")
    order, kind, width, fortran, sides = parts.groups()
    shape = tuple(int(side.rstrip("L")) for side in sides.replace(" ", "").split(",") if side)
    if any(side > MAX_SIDE for side in shape):
        raise Broken("an array of impossible shape")
    return Header(kind + width, order == ">", fortran == "True", shape, start + size)


def read_npy(path: Path, budget: Budget, allowed: frozenset[str]) -> list[Any]:
    """The arrays of an ``.npy`` file: itself, or those in an array of objects; raises :class:`Broken`."""
    with path.open("rb") as file:
        header = read_header(file.read(MAX_HEADER))
        if header.code != "O":
            size = budget.size - header.start
            return [header.value(Stored(FilePart(path, header.start, size)))]
        file.seek(header.start)
        value = resolved(Unpickler(Bounded(file, budget.size), budget, allowed).load())
    return [resolved(item) for item in value] if isinstance(value, list) else [value]


@dataclass
class FilePart:
    """Bytes of a file from ``start`` on, see :class:`~duplex.baking.checkpoints.formats.values.Storage`."""

    path: Path
    start: int
    size: int

    def read(self) -> Array:
        """The bytes, (size,) uint8."""
        return bytes_at(self.path, self.start, self.size)


def is_npz(archive: ZipArchive) -> bool:
    """Whether a ZIP archive holds arrays of numpy and nothing else."""
    return bool(archive.names) and all(name.endswith(".npy") for name in archive.names)


def read_npz(archive: ZipArchive) -> dict[str, Any]:
    """The arrays of an ``.npz`` file by name; raises :class:`Broken`, or :class:`Refused` for pickled objects."""
    content: dict[str, Any] = {}
    if len(archive.names) > MAX_ARRAYS:
        raise Broken(f"more than {MAX_ARRAYS} arrays")
    for name in archive.names:
        header = read_header(archive.head(name, MAX_HEADER))
        if header.code == "O":
            raise Refused("object")
        content[name.removesuffix(".npy")] = header.value(Stored(NpyMember(archive, name, header.start)))
    return content


class NpyMember:
    """The numbers of an array in an archive, behind its header."""

    def __init__(self, archive: ZipArchive, name: str, start: int):
        self.archive = archive
        self.name = name
        self.start = start
        self.size = archive.size(name) - start

    def read(self) -> Array:
        """The bytes, (size,) uint8."""
        return self.archive.read(self.name)[self.start :]
