"""Containers that hold no pickles: ``.npz`` archives, msgpack files, and compressed ones. Every size is bounded."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from duplex.app.core.errors import DuplexError

MAX_CHECKPOINT_BYTES = 4 << 30
GZIP, ZLIB, ZIP = b"\x1f\x8b", b"\x78", b"PK\x03\x04"


def is_npz(path: Path) -> bool:
    """Whether a ZIP archive holds arrays of numpy and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def read_npz(path: Path) -> dict[str, Any]:
    """The arrays in an ``.npz`` file; one that would need unpickling is refused."""
    try:
        check_unpacked_size(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DuplexError:
        raise
    except MemoryError:
        raise DuplexError(f"{path}: it declares arrays that do not fit into memory: broken or hostile") from None
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise refused(path, "object") from None
        raise DuplexError(f"{path}: a damaged .npz file: copy or export it again") from None
    except Exception:
        raise DuplexError(f"{path}: a damaged .npz file: copy or export it again") from None


def inflated(path: Path) -> bytes:
    """What a gzip or zlib stream holds, up to the bound on checkpoints."""
    try:
        with path.open("rb") as stream:
            if stream.peek(2)[:2] == GZIP:
                content = gzip.GzipFile(fileobj=stream).read(MAX_CHECKPOINT_BYTES + 1)
            else:
                content = zlib.decompressobj().decompress(stream.read(), MAX_CHECKPOINT_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise DuplexError(f"{path}: a damaged compressed file: copy or export it again") from None
    if len(content) > MAX_CHECKPOINT_BYTES:
        raise DuplexError(f"{path}: more than 4 GiB unpacked: checkpoints of up to 4 GiB are read")
    return content


def read_msgpack(path: Path, content: bytes) -> dict[str, Any]:
    """The map in a msgpack file, flax's arrays (extension type 1) in it as numpy arrays."""
    try:
        unpacked = msgpack.unpackb(content, ext_hook=_flax_extension, strict_map_key=False)
    except Exception:
        raise DuplexError(f"{path}: not a checkpoint, or a damaged one: expected a msgpack map") from None
    if not isinstance(unpacked, dict):
        raise DuplexError(f"{path}: it holds a {type(unpacked).__name__}: expected a msgpack map")
    return unpacked


def _flax_extension(code: int, data: bytes) -> Any:
    """An array (1) or scalar (3) of flax.serialization: a msgpack list of shape, name of the dtype, and bytes."""
    if code not in (1, 3):
        return None
    shape, name, content = msgpack.unpackb(data)
    if name == "bfloat16":
        wide = np.frombuffer(content, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    dtype = np.dtype(name)
    if dtype.kind not in "fiub":
        raise ValueError(f"an array of {name}")
    array = np.frombuffer(content, dtype).reshape(shape)
    return array if code == 1 else array[()]


def check_unpacked_size(path: Path) -> None:
    """Raise :class:`DuplexError` where a file, or what a ZIP archive unpacks to, is over the bound."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(entry.file_size for entry in archive.infolist()))
    if size > MAX_CHECKPOINT_BYTES:
        raise DuplexError(f"{path}: {size / 2**30:.1f} GiB unpacked: checkpoints of up to 4 GiB are read")


def refused(path: Path, wanted: str) -> DuplexError:
    """The error about a file that pickles the object ``wanted``."""
    return DuplexError(
        f"{path}: refused unread: it pickles the Python object {wanted}, and unpickling can run any code: "
        "save the network's state_dict() instead and bake that"
    )
