"""Reading checkpoint files, which may be hostile: no code from a file is executed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.packed import (
    GZIP,
    MAX_CHECKPOINT_BYTES,
    ZIP,
    ZLIB,
    inflated,
    is_npz,
    read_msgpack,
    read_npz,
)
from duplex.baking.checkpoints.pickles import NPY, read_npy, read_torch

MAX_TEXT_BYTES = 1 << 20
MAX_WEIGHTS = 1 << 28  # numbers in one network
PLAIN = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file whose family is not yet known.

    ``kind``: ``torch`` (torch.save), ``npz``, ``npy`` or ``msgpack``; ``content``: its members by name; those of an
    ``npy`` file, an array of arrays, are called ``"0"``, ``"1"``, ...
    """

    path: Path
    kind: str
    content: dict[str, Any]

    def tensors(self, name: str | None = None) -> dict[str, Tensor]:
        """The state dict ``name``, or the whole content, as finite float32 tensors; raises :class:`DuplexError`."""
        return check_tensors(self.content if name is None else self.content.get(name), self.path, name or "the file")


def read_checkpoint(path: Path, state_classes: Iterable[str] = ()) -> Checkpoint:
    """Read ``path`` by its content, whatever its name; raises :class:`DuplexError` of one sentence.

    ``state_classes``: what it may pickle, see :func:`~duplex.baking.checkpoints.pickles.read_torch`.
    """
    size = path.stat().st_size
    if size > MAX_CHECKPOINT_BYTES:
        raise DuplexError(f"{path}: {size / 2**30:.1f} GiB: checkpoints of up to 4 GiB are read")
    with path.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(NPY):
        return Checkpoint(path, "npy", {str(i): a for i, a in enumerate(read_npy(path))})
    if head.startswith(ZIP) and is_npz(path):
        return Checkpoint(path, "npz", read_npz(path))
    if head.startswith(GZIP) or (head.startswith(ZLIB) and len(head) > 1 and (head[0] * 256 + head[1]) % 31 == 0):
        return Checkpoint(path, "msgpack", read_msgpack(path, inflated(path)))
    if head and (0x80 < head[0] <= 0x8F or head[0] in (0xDE, 0xDF)):
        return Checkpoint(path, "msgpack", read_msgpack(path, path.read_bytes()))
    return Checkpoint(path, "torch", read_torch(path, state_classes))


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


def check_tensors(state: Any, path: Path, name: str) -> dict[str, Tensor]:
    """``state`` as a dictionary of finite float32 tensors; raises :class:`DuplexError` that names a wrong member."""
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
    if value.numel() > MAX_WEIGHTS:  # before anything is converted: a tensor can repeat one number without end
        raise DuplexError(f"{path}: {name} holds more than {MAX_WEIGHTS} numbers: no network that duplex knows")
    plain = value.layout == torch.strided and not (value.is_quantized or value.is_complex())
    return check_tensors({name: value.float() if plain else value}, path, "the file")[name]
