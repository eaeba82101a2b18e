"""The state file of a training, from which it resumes bit by bit, and when to write it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from duplex.app.core.files import write_atomically
from duplex.baking.runtime import optimizer as optimizers

SAVE_SECONDS = 30.0  # at least, between two saves
SAVE_SHARE = 20  # at least so many times as long between two saves as the last save took


def write_state(
    file: Path, tensors: dict[str, Tensor], optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> None:
    """Write ``tensors``, the optimiser and the random generator into ``file``, atomically."""
    state = tensors | optimizers.to_tensors(optimizer) | {"generator": generator.get_state()}
    write_atomically(file, save({name: value.detach().cpu().contiguous() for name, value in state.items()}))


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors that :func:`write_state` wrote; not mapped, because the file will be replaced."""
    tensors: dict[str, Tensor] = load(file.read_bytes())
    return tensors


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, each under ``prefix`` and its name."""
    return {f"{prefix}{name}": value for name, value in tensors.items()}


def without_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`with_prefix`, among other tensors."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def restore_generator(generator: torch.Generator, tensors: dict[str, Tensor], seed: int) -> None:
    """Take over the random generator of :func:`read_state`; seed it anew if the state is from another device type."""
    state = tensors["generator"]
    if len(state) == len(generator.get_state()):
        generator.set_state(state)
    else:
        generator.manual_seed(seed)


class SaveTimer:
    """Paces saves: at most one every :data:`SAVE_SECONDS`, and fewer where saving is slow."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._cost = 0.0

    def save_if_due(self, save: Callable[[], None]) -> None:
        """Call ``save`` if the last save is long enough ago."""
        started = time.monotonic()
        if started - self._last > max(SAVE_SECONDS, SAVE_SHARE * self._cost):
            save()
            self._last = time.monotonic()
            self._cost = self._last - started
