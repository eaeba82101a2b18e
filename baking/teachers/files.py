"""Reading checkpoints as the hostile files that they may be: nothing in here runs what a file says."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import torch
from torch import Tensor

from duplex.app.camera import Array
from duplex.app.errors import DuplexError

MAX_CHECKPOINT_BYTES = 4 << 30
MAX_TEXT_BYTES = 1 << 20
MAX_WEIGHTS = 1 << 28  # numbers in one network
PLAIN = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
GZIP, ZLIB, NPY, ZIP = b"\x1f\x8b", b"\x78", b"\x93NUMPY", b"PK\x03\x04"
NUMPY_BUILDERS = ("_reconstruct", "scalar")


@dataclass(frozen=True)
class Checkpoint:
    """A file that has been read, but not yet understood.

    ``kind``: ``torch`` (torch.save), ``npz``, ``npy`` or ``msgpack``; ``content``: its members by name; those of an
    ``npy`` file, an array of arrays, are called ``"0"``, ``"1"``, ...
    """

    path: Path
    kind: str
    content: dict[str, Any]

    def tensors(self, name: str | None = None) -> dict[str, Tensor]:
        """The state dict ``name``, or the whole content, as finite float32 tensors; raises :class:`DuplexError`."""
        return check_tensors(self.content if name is None else self.content.get(name), self.path, name or "the file")


class Inert:
    """Stands for an object of a class that is never imported: what it was made of is kept in ``state``."""

    def __init__(self, *arguments: Any):
        self.arguments, self.state = arguments, {}

    def __setstate__(self, state: Any) -> None:
        self.state = state


# Classes that honest checkpoints carry along; torch's unpickler makes an Inert of each instead of importing it.
INERT = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.Path",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "lightning.pytorch.utilities.parsing.AttributeDict",
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    "__main__.FastNerf",
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.linear.Linear",
    "torch.nn.modules.activation.ReLU",
)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read ``path`` by what it holds, whatever it is called; raises :class:`DuplexError` in one sentence."""
    size = path.stat().st_size
    if size > MAX_CHECKPOINT_BYTES:
        raise DuplexError(f"{path}: {size / 2**30:.1f} GiB: checkpoints of up to 4 GiB are read")
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(NPY):
        return Checkpoint(path, "npy", {str(i): a for i, a in enumerate(_read_npy(path))})
    if head.startswith(ZIP) and _is_npz(path):
        return Checkpoint(path, "npz", _read_npz(path))
    if head.startswith(GZIP) or (head.startswith(ZLIB) and len(head) > 1 and (head[0] * 256 + head[1]) % 31 == 0):
        return Checkpoint(path, "msgpack", _read_msgpack(path, _inflated(path)))
    if head and (0x80 < head[0] <= 0x8F or head[0] in (0xDE, 0xDF)) and not _is_pickle(head):
        return Checkpoint(path, "msgpack", _read_msgpack(path, path.read_bytes()))
    return Checkpoint(path, "torch", read_torch(path))


def read_small_text(path: Path) -> str:
    """The text of a small configuration file; empty when there is none."""
    if not path.is_file():
        return ""
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise DuplexError(f"{path}: {path.stat().st_size} bytes: expected a configuration of at most 1 MiB")
    return path.read_text("utf-8", errors="replace")


def read_options(folder: Path) -> dict[str, str]:
    """The ``key = value`` lines of ``config.txt`` and ``args.txt`` in ``folder``; the second one wins."""
    options: dict[str, str] = {}
    for name in ("config.txt", "args.txt"):
        for line in read_small_text(folder / name).splitlines():
            key, equals, value = line.partition("=")
            if equals:
                options[key.strip()] = value.strip()
    return options


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_torch(path: Path) -> dict[str, Any]:
    """The dictionary in a file of ``torch.save``, by torch's restricted unpickler.

    Tensors, plain containers and numpy arrays come as they are, objects of the classes in :data:`INERT` as
    :class:`Inert`. Raises :class:`DuplexError` for anything else, without having executed any of it.
    """
    allowed: list[Any] = [(Inert, name) for name in INERT] + _numpy_globals()
    try:
        _check_unpacked_size(path)
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = _wanted_global(str(error))
        if wanted:
            raise _refused(path, wanted) from None
        raise _not_a_checkpoint(path) from None
    except PermissionError:
        raise
    except MemoryError:
        raise DuplexError(f"{path}: it declares tensors that do not fit into memory: broken or hostile") from None
    except DuplexError:
        raise
    except Exception:  # whatever a damaged stream of opcodes provokes in torch's unpickler
        raise _not_a_checkpoint(path) from None
    if isinstance(content, Inert) and isinstance(content.state, dict):
        return {"_modules": {}, **content.state}
    if not isinstance(content, dict):
        raise DuplexError(f"{path}: it holds a {type(content).__name__}: expected a dictionary of state dicts")
    return content


def check_tensors(state: Any, path: Path, name: str) -> dict[str, Tensor]:
    """``state`` as a dictionary of finite float32 tensors; raises :class:`DuplexError` that names what is not."""
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise DuplexError(f"{path}: {name} is no state dict of tensors: a checkpoint of unknown layout")
    if sum(v.numel() for v in state.values()) > MAX_WEIGHTS:
        raise DuplexError(f"{path}: {name} holds more than {MAX_WEIGHTS} numbers: no network that duplex knows")
    for key, value in state.items():
        if value.dtype not in PLAIN or value.layout != torch.strided or value.device.type != "cpu":
            raise DuplexError(f"{path}: {name}: {key} holds {value.dtype}: expected dense floating point numbers")
        if not bool(torch.isfinite(value).all()):
            raise DuplexError(
                f"{path}: {name}: {key} holds NaN or infinity: the training diverged; use an earlier checkpoint"
            )
    return {str(key): value.float() for key, value in state.items()}


def tensor_of(value: Any, path: Path, name: str) -> Tensor:
    """``value``, a tensor or a numpy array, as a finite float32 tensor; raises :class:`DuplexError` that names it."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        value = torch.from_numpy(np.array(value, np.float32))  # a copy: torch wants it writable
    if not isinstance(value, Tensor):
        raise DuplexError(f"{path}: {name} is missing or holds no numbers: a checkpoint of unknown layout")
    return check_tensors({name: value.float()}, path, "the file")[name]


def _numpy_globals() -> list[Any]:
    """What a numpy array or scalar in a pickle is made with, under the names that old and new numpy use."""
    core = np._core.multiarray  # type: ignore[attr-defined]
    names = [(getattr(core, b), f"numpy.{c}.multiarray.{b}") for b in NUMPY_BUILDERS for c in ("core", "_core")]
    dtypes = [type(np.dtype(code)) for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    return [*names, np.ndarray, np.dtype, (_encoded, "_codecs.encode"), *dtypes]


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    """``_codecs.encode`` as old pickles use it to hold bytes, and nothing more."""
    if encoding != "latin1":
        raise ValueError(f"an encoding {encoding!r} in a pickle of bytes")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles numpy arrays, and refuses everything else."""

    wanted = ""

    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[str, Callable[..., Any] | type] = {
            **{
                f"numpy.{c}.multiarray.{b}": getattr(np._core.multiarray, b)
                for b in NUMPY_BUILDERS
                for c in ("core", "_core")
            },  # type: ignore[attr-defined]  # fmt: skip
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
            "_codecs.encode": _encoded,
        }
        if f"{module}.{name}" not in allowed:
            self.wanted = f"{module}.{name}"
            raise pickle.UnpicklingError(self.wanted)
        return allowed[f"{module}.{name}"]


def _read_npy(path: Path) -> list[Array]:
    """The arrays in an ``.npy`` file: one plain array, or an object array of arrays as Keras weights are saved."""
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(stream)
            if dtype.kind != "O":
                if int(np.prod(shape, dtype=np.float64)) * dtype.itemsize > path.stat().st_size:
                    raise ValueError("more numbers declared than the file holds")
                return [np.load(path, allow_pickle=False)]
            unpickler = _ArrayUnpickler(io.BytesIO(stream.read()), encoding="latin1")
            try:
                content = unpickler.load()
            except pickle.UnpicklingError:
                if unpickler.wanted:
                    raise _refused(path, unpickler.wanted) from None
                raise
    except DuplexError:
        raise
    except Exception:
        raise DuplexError(f"{path}: not a NumPy file, or a damaged one: expected the weights of a network") from None
    items = list(content.reshape(-1)) if isinstance(content, np.ndarray) else content
    if not isinstance(items, list) or not all(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in items):
        raise DuplexError(f"{path}: it holds more than arrays of numbers: expected the weights of a network")
    return items


def _is_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _read_npz(path: Path) -> dict[str, Any]:
    """The arrays in an ``.npz`` file; one that would need unpickling is refused."""
    try:
        _check_unpacked_size(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DuplexError:
        raise
    except MemoryError:
        raise DuplexError(f"{path}: it declares arrays that do not fit into memory: broken or hostile") from None
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise _refused(path, "object") from None
        raise DuplexError(f"{path}: a damaged .npz file: copy or export it again") from None
    except Exception:
        raise DuplexError(f"{path}: a damaged .npz file: copy or export it again") from None


def _inflated(path: Path) -> bytes:
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


def _read_msgpack(path: Path, content: bytes) -> dict[str, Any]:
    """The map in a msgpack file, flax's arrays (extension type 1) in it as numpy arrays."""
    try:
        unpacked = msgpack.unpackb(
            content, ext_hook=_flax_extension, strict_map_key=False, max_buffer_size=MAX_CHECKPOINT_BYTES
        )
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


def _is_pickle(head: bytes) -> bool:
    """Whether a file begins as a pickle of protocol 2 or newer, which msgpack could mistake for a map."""
    return head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def _check_unpacked_size(path: Path) -> None:
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(entry.file_size for entry in archive.infolist()))
    if size > MAX_CHECKPOINT_BYTES:
        raise DuplexError(f"{path}: {size / 2**30:.1f} GiB unpacked: checkpoints of up to 4 GiB are read")


def _wanted_global(message: str) -> str:
    """The class or function that torch's unpickler refused, from its message; empty if it refused none."""
    for marker in ("Unsupported global: GLOBAL ", "Unsupported class ", "Trying to load unsupported GLOBAL "):
        if marker in message:
            return message.split(marker, 1)[1].split()[0].rstrip(".,")
    return ""


def _refused(path: Path, wanted: str) -> DuplexError:
    return DuplexError(
        f"{path}: refused unread: it pickles the Python object {wanted}, and unpickling can run any code: "
        "save the network's state_dict() instead and bake that"
    )


def _not_a_checkpoint(path: Path) -> DuplexError:
    return DuplexError(f"{path}: not a checkpoint, or a damaged one: expected a file written by torch.save")
