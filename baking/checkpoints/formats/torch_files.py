"""Files of ``torch.save``: the ZIP archive since torch 1.6, and the stream of pickles and storages before."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.baking.checkpoints.formats.archives import ZipArchive
from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.constructors import TypedStorage, storage_dtype
from duplex.baking.checkpoints.formats.pickles import Unpickler
from duplex.baking.checkpoints.formats.values import Broken, Name, Refused, Stored

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_LINE = 1 << 16
MODULE = "torch.nn.Module"  # what a whole network in the old stream is refused as, since its source comes with it


def read_archive(archive: ZipArchive, budget: Budget, allowed: frozenset[str]) -> Any:
    """The value in a ZIP archive of ``torch.save``, its tensors by reference; raises :class:`Broken`."""
    pickles = [name for name in archive.names if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Broken("no data.pkl")
    root = pickles[0].removesuffix("data.pkl")
    order = f"{root}byteorder"
    big_endian = order in archive.names and archive.read(order, 16).tobytes() == b"big"
    storages: dict[str, Stored] = {}

    def storage(reference: Any) -> TypedStorage:
        kind, key, count = _reference(reference)
        dtype, itemsize = storage_dtype(kind)
        name = f"{root}data/{key}"
        if name not in storages:
            storages[name] = Stored(archive.storage(name))
        if storages[name].size != count * itemsize:
            raise Broken(f"a storage of {storages[name].size} bytes for {count} numbers")
        return TypedStorage(storages[name], dtype, big_endian)

    content = archive.read(pickles[0], budget.text).tobytes()
    return Unpickler(content, budget, allowed, storage).load()


def _reference(reference: Any) -> tuple[Name, str, int]:
    """Class, key and number of elements in a persistent id, ``("storage", class, key, location, numel)``."""
    if not isinstance(reference, list) or len(reference) < 5 or reference[0] != "storage":
        if isinstance(reference, list) and reference[:1] == ["module"]:
            raise Refused(MODULE)
        raise Broken("a reference to what is no storage")
    _, kind, key, _, count = reference[:5]
    if not isinstance(kind, Name) or not isinstance(key, (str, int)) or type(count) is not int or count < 0:
        raise Broken("a reference to what is no storage")
    return kind, str(key), count


class StreamStorage:
    """A run of bytes behind the pickles of a stream; where it lies is known once all pickles are read."""

    def __init__(self, path: Path, itemsize: int, count: int):
        self.path = path
        self.itemsize = itemsize
        self.count = count
        self.size = itemsize * count
        self.offset = -1

    def read(self) -> Array:
        """The bytes, (size,) uint8."""
        return bytes_at(self.path, self.offset, self.size)


def bytes_at(path: Path, offset: int, size: int) -> Array:
    """``size`` bytes of a file from ``offset`` on, (size,) uint8; raises :class:`Broken` where it has not as many."""
    if offset < 0 or path.stat().st_size < offset + size:
        raise Broken("numbers behind the end of the file")
    content = np.fromfile(path, np.uint8, size, offset=offset)
    if len(content) != size:
        raise Broken("numbers behind the end of the file")
    return content


def read_stream(path: Path, budget: Budget, allowed: frozenset[str]) -> Any:
    """The value in a stream of ``torch.save`` before torch 1.6; raises :class:`Broken`."""
    storages: dict[str, StreamStorage] = {}

    def storage(reference: Any) -> TypedStorage:
        kind, key, count = _reference(reference)
        dtype, itemsize = storage_dtype(kind)
        known = storages.setdefault(key, StreamStorage(path, itemsize, count))
        if (known.itemsize, known.count) != (itemsize, count):
            raise Broken("one storage of two sizes")
        view = reference[5] if len(reference) > 5 else None
        if view is None:
            return TypedStorage(cached.setdefault(key, Stored(known)), dtype)
        _, start, length = view
        return TypedStorage(Part(cached.setdefault(key, Stored(known)), start * itemsize, length * itemsize), dtype)

    cached: dict[str, Stored] = {}
    with path.open("rb") as file:
        stream = Bounded(file, budget.size)
        header = [Unpickler(stream, budget).load() for _ in range(3)]
        if header[0] != MAGIC or header[1] != PROTOCOL:
            raise Broken("another protocol of torch.save")
        value = Unpickler(stream, budget, allowed, storage).load()
        keys = Unpickler(stream, budget).load()
        if not isinstance(keys, list):
            raise Broken("no list of storages")
        _place(file, [str(key) for key in keys if isinstance(key, (str, int))], storages)
    return value


def _place(file: IO[bytes], keys: list[str], storages: dict[str, StreamStorage]) -> None:
    """Note where each storage lies: a number of elements, then those, in the order of ``keys``."""
    for key in keys:
        storage = storages.get(key)
        if storage is None:
            raise Broken("a storage that no tensor has")
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise Broken("a storage of another size than stated")
        storage.offset = file.tell()
        file.seek(storage.size, io.SEEK_CUR)


class Part:
    """A part of a storage, as old files share one between tensors."""

    def __init__(self, storage: Stored, start: int, size: int):
        if not 0 <= start <= start + size <= storage.size:
            raise Broken("a part that reaches outside its storage")
        self.storage = storage
        self.start = start
        self.size = size

    def read(self) -> Array:
        """The bytes, (size,) uint8."""
        return self.storage.read()[self.start : self.start + self.size]


class Bounded:
    """A file that is never asked for more bytes than it has, since asking takes their memory."""

    def __init__(self, file: IO[bytes], size: int):
        self.file = file
        self.size = size

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes."""
        return self.file.read(max(min(count, self.size - self.file.tell()), 0))

    def readline(self) -> bytes:
        """A line, cut where it is too long for any name or number."""
        return self.file.readline(MAX_LINE)
