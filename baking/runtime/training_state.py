"""The state file of a training, for a bit-identical resume, and the pace of saving it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from duplex.app.core.files import write_atomically
from duplex.baking.runtime import optimizer as optimizers

SAVE_SECONDS = 30.0  # minimum time between two saves
SAVE_RATIO = 20  # minimum time between two saves, in durations of the last save


def write_state(
    file: Path, tensors: dict[str, Tensor], optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> None:
    """Write ``tensors`` and the states of optimiser and random generator to ``file`` atomically."""
    state = tensors | optimizers.to_tensors(optimizer) | {"generator": generator.get_state()}
    write_atomically(file, save({name: value.detach().cpu().contiguous() for name, value in state.items()}))


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors that :func:`write_state` wrote, read rather than mapped because the next save replaces the file."""
    tensors: dict[str, Tensor] = load(file.read_bytes())
    return tensors


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors with ``prefix`` before each name."""
    return {f"{prefix}{name}": value for name, value in tensors.items()}


def without_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`with_prefix`; other tensors are left out."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def restore_generator(generator: torch.Generator, tensors: dict[str, Tensor], seed: int) -> None:
    """Restore the generator's state from ``tensors``; reseed it if the state is from another type of device."""
    state = tensors["generator"]
    if len(state) == len(generator.get_state()):
        generator.set_state(state)
    else:
        generator.manual_seed(seed)


class SaveTimer:
    """Limits saves to one every :data:`SAVE_SECONDS`, and to fewer if saving is slow."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._duration = 0.0

    def save_if_due(self, save: Callable[[], None]) -> None:
        """Call ``save`` if enough time has passed since the last save."""
        started = time.monotonic()
        if started - self._last > max(SAVE_SECONDS, SAVE_RATIO * self._duration):
            save()
            self._last = time.monotonic()
            self._duration = self._last - started
