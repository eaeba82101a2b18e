"""ZIP archives from strangers: directories and members of bounded size."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.zip_directory import directory_bytes
from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.values import Broken

ZIP = b"PK\x03\x04"
MAX_DIRECTORY_BYTES = 8 << 20
MAX_MEMBER_NAME = 512
CHUNK = 1 << 20
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError, KeyError,
    struct.error, OverflowError, IndexError,
)  # fmt: skip


class ZipArchive:
    """An open ZIP archive whose members are stored or deflated; raises :class:`Broken` for any other.

    ``names``: of its members, in their order.
    """

    def __init__(self, path: Path, budget: Budget):
        self.budget = budget
        try:
            size = directory_bytes(path)
            if size is None or size > MAX_DIRECTORY_BYTES:
                raise Broken("no directory, or one of too many members")
            self._zip = zipfile.ZipFile(path)
        except DAMAGED as error:
            raise Broken(str(error)) from None
        self._members = {entry.filename: entry for entry in self._zip.infolist()}
        self.names = list(self._members)
        if any(len(name) > MAX_MEMBER_NAME for name in self.names):
            raise Broken("a member whose name has no end")

    def size(self, name: str) -> int:
        """The stated size of a member, in bytes."""
        if name not in self._members:
            raise Broken(f"no member {name}")
        return self._members[name].file_size

    def storage(self, name: str) -> Member:
        """A member as a storage that is read when it is needed."""
        return Member(self, name, self.size(name))

    def head(self, name: str, count: int) -> bytes:
        """The first ``count`` bytes of a member, or all of a shorter one."""
        with self._opened(name) as stream:
            return stream.read(count)

    def read(self, name: str, limit: int | None = None) -> Array:
        """A member's bytes, (n,) uint8; raises :class:`Broken` above ``limit`` bytes, or where it is damaged."""
        size = self.size(name)
        if limit is not None and size > limit:
            raise Broken(f"a member of {size} bytes")
        self.budget.unpack(size)
        content = np.empty(size, np.uint8)
        place = 0
        with self._opened(name) as stream:
            while chunk := stream.read(CHUNK):
                content[place : place + len(chunk)] = np.frombuffer(chunk, np.uint8)
                place += len(chunk)
        if place != size:
            raise Broken("a member of another size than stated")
        return content

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        """A member's stream; raises :class:`Broken` for whatever goes wrong while it is read."""
        entry = self._members.get(name)
        if entry is None or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Broken(f"no member {name}, or one that is neither stored nor deflated")
        try:
            with self._zip.open(entry) as stream:
                yield stream
        except DAMAGED as error:
            raise Broken(str(error)) from None


@dataclass
class Member:
    """The bytes of a member, see :class:`~duplex.baking.checkpoints.formats.values.Storage`."""

    archive: ZipArchive
    name: str
    size: int

    def read(self) -> Array:
        """The bytes, (size,) uint8."""
        return self.archive.read(self.name)
