"""Restricted unpicklers for torch.save files and numpy's object arrays: no code from a file is executed."""

from __future__ import annotations

import importlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.packed import check_unpacked_size, refused

NPY = b"\x93NUMPY"

NUMPY_BUILDERS = ("_reconstruct", "scalar")
MULTIARRAY = importlib.import_module("numpy._core.multiarray")
LONE = "tensor"  # member name of a file that holds a single tensor


class Inert:
    """Stands for an object of a class that is never imported; ``state`` keeps the pickled state."""

    arguments: tuple[Any, ...] = ()  # here too: unpicklers may skip __init__ and __setstate__
    state: Any = {}  # noqa: RUF012

    def __init__(self, *arguments: Any):
        self.arguments = arguments
        self.state = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def members(self, kind: str) -> dict[Any, Any]:
        """The dictionary ``kind`` in the state, as of an ``nn.Module``: empty where there is none."""
        members = self.state.get(kind) if isinstance(self.state, dict) else None
        return members if isinstance(members, dict) else {}


# Classes that checkpoints of any family carry along: options of a command line, and paths.
COMMON_STATE_CLASSES = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.Path",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
)
# Container classes: the plain container is created instead.
CONTAINERS: dict[str, type] = {
    "pytorch_lightning.utilities.parsing.AttributeDict": dict,
    "lightning.pytorch.utilities.parsing.AttributeDict": dict,
    "lightning_fabric.utilities.data.AttributeDict": dict,
    "lightning.fabric.utilities.data.AttributeDict": dict,
    "collections.deque": list,
}
# Dictionary classes: read as ordinary dictionaries.
DICTIONARIES = ("mmcv.utils.config.ConfigDict",)


def read_torch(path: Path, state_classes: Iterable[str] = ()) -> dict[str, Any]:
    """The dictionary in a file of ``torch.save``, by torch's restricted unpickler.

    Tensors, plain containers and numpy arrays come as they are, objects of :data:`COMMON_STATE_CLASSES` and of
    ``state_classes`` as :class:`Inert`, a lone tensor as ``{"tensor": ...}``. Raises :class:`DuplexError` for anything
    else, without having executed any of it.
    """
    inert = dict.fromkeys((*COMMON_STATE_CLASSES, *state_classes))
    allowed: list[Any] = [(Inert, name) for name in inert] + _numpy_globals()
    allowed += [(container, name) for name, container in CONTAINERS.items()]
    allowed += [(OrderedDict, name) for name in DICTIONARIES]
    try:
        check_unpacked_size(path)
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = _wanted_global(str(error))
        if wanted:
            raise refused(path, wanted) from None
        raise _not_a_checkpoint(path) from None
    except PermissionError:
        raise
    except MemoryError:
        raise DuplexError(f"{path}: it declares tensors that do not fit into memory: broken or hostile") from None
    except DuplexError:
        raise
    except Exception:  # torch's unpickler raises various errors on damaged opcodes
        raise _not_a_checkpoint(path) from None
    if isinstance(content, Inert) and isinstance(content.state, dict):
        return {"_modules": {}, **content.state}
    if isinstance(content, Tensor):
        return {LONE: content}
    if not isinstance(content, dict):
        raise DuplexError(f"{path}: it holds a {type(content).__name__}: expected a dictionary of state dicts")
    return content


def _numpy_globals() -> list[Any]:
    """What a numpy array or scalar in a pickle is made with, under the names that old and new numpy use."""
    names = [(getattr(MULTIARRAY, b), f"numpy.{c}.multiarray.{b}") for b in NUMPY_BUILDERS for c in ("core", "_core")]
    dtypes = [type(np.dtype(code)) for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    return [*names, np.ndarray, np.dtype, (_encoded, "_codecs.encode"), *dtypes]


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    """``_codecs.encode`` as old pickles use it to hold bytes, and nothing more."""
    if encoding != "latin1":
        raise ValueError(f"an encoding {encoding!r} in a pickle of bytes")
    return text.encode("latin1")


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles plain containers of numpy arrays, and refuses everything else with UnpicklingError."""

    wanted = ""

    def find_class(self, module: str, name: str) -> Any:
        """The constructors of arrays; everything else is refused."""
        allowed: dict[str, Callable[..., Any] | type] = {
            f"numpy.{core}.multiarray.{builder}": getattr(MULTIARRAY, builder)
            for builder in NUMPY_BUILDERS
            for core in ("core", "_core")
        }
        allowed |= {"numpy.ndarray": np.ndarray, "numpy.dtype": np.dtype, "_codecs.encode": _encoded}
        if f"{module}.{name}" not in allowed:
            self.wanted = f"{module}.{name}"
            raise pickle.UnpicklingError(self.wanted)
        return allowed[f"{module}.{name}"]


def read_npy(path: Path) -> list[Array]:
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
            unpickler = ArrayUnpickler(io.BytesIO(stream.read()), encoding="latin1")
            try:
                content = unpickler.load()
            except pickle.UnpicklingError:
                if unpickler.wanted:
                    raise refused(path, unpickler.wanted) from None
                raise
    except DuplexError:
        raise
    except Exception:
        raise DuplexError(f"{path}: not a NumPy file, or a damaged one: expected the weights of a network") from None
    items = list(content.reshape(-1)) if isinstance(content, np.ndarray) else content
    if not isinstance(items, list) or not all(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in items):
        raise DuplexError(f"{path}: it holds more than arrays of numbers: expected the weights of a network")
    return items


def _wanted_global(message: str) -> str:
    """The class or function that torch's unpickler refused, from its message; empty if it refused none."""
    for marker in ("Unsupported global: GLOBAL ", "Unsupported class ", "Trying to load unsupported GLOBAL "):
        if marker in message:
            return message.split(marker, 1)[1].split()[0].rstrip(".,")
    if "Only persistent_load of storage" in message:  # the layout before torch 1.6 stores classes with their source
        return "torch.nn.Module"
    return ""


def _not_a_checkpoint(path: Path) -> DuplexError:
    return DuplexError(f"{path}: not a checkpoint, or a damaged one: expected a file written by torch.save")
