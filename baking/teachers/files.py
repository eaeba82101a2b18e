"""Reading checkpoints as the hostile files that they may be."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from duplex.app.errors import DuplexError

MAX_CHECKPOINT_BYTES = 4 << 30
MAX_TEXT_BYTES = 1 << 20
MAX_WEIGHTS = 1 << 28  # numbers in one network
PLAIN = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def read_small_text(path: Path) -> str:
    """The text of a small configuration file; empty when there is none."""
    if not path.is_file():
        return ""
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise DuplexError(f"{path}: {path.stat().st_size} bytes: expected a configuration of at most 1 MiB")
    return path.read_text("utf-8", errors="replace")


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_torch(path: Path) -> dict[str, Any]:
    """The dictionary in a file of ``torch.save``, by torch's restricted unpickler: tensors and plain containers.

    Raises :class:`DuplexError` for anything else, without having executed any of it.
    """
    try:
        _check_size(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = _wanted_global(str(error))
        if wanted:
            raise DuplexError(
                f"{path}: refused unread: it pickles the Python object {wanted}, and unpickling can run any code: "
                "save the network's state_dict() instead and bake that"
            ) from None
        raise _not_a_checkpoint(path) from None
    except PermissionError:
        raise
    except MemoryError:
        raise DuplexError(f"{path}: it declares tensors that do not fit into memory: broken or hostile") from None
    except (
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        AssertionError,
        OverflowError,
        zipfile.BadZipFile,
    ):
        raise _not_a_checkpoint(path) from None
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


def _check_size(path: Path) -> None:
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


def _not_a_checkpoint(path: Path) -> DuplexError:
    return DuplexError(f"{path}: not a checkpoint, or a damaged one: expected a file written by torch.save")
