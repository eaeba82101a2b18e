"""Memory: what a bake will need, and how it gets by with less when that is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from duplex.app.errors import DuplexError

GIB = 2**30
SMALLEST_CHUNK = 256

Result = TypeVar("Result")


class OutOfMemory(DuplexError, RuntimeError):
    """Memory ran out even for the smallest portion; whoever shares out larger ones may still try smaller ones."""


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch raised ``error`` because memory ran out, on a GPU or on the CPU."""
    text = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError | OutOfMemory)
        or "not enough memory" in text
        or "can't allocate memory" in text
    )


def with_less(function: Callable[[int], Result], size: int, smallest: int = SMALLEST_CHUNK) -> tuple[Result, int]:
    """``function(size)``, or of half the size, and so on, as long as memory runs out; and the size that went.

    Raises :class:`OutOfMemory` when even ``smallest`` does not fit.
    """
    while True:
        try:
            return function(size), size
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        if size <= smallest:
            raise OutOfMemory(
                f"memory ran out, even for {size} of them at once (points, rays or crops): expected room for those: "
                "close other programs, give a smaller --crop or --view-size, or another --device"
            )
        size = max(size // 2, smallest)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@dataclass(frozen=True)
class Needs:
    """Bytes that a bake will take: ``memory`` at its peak, and ``disk`` in its folder while it runs.

    What lies on disk is mapped: the system keeps it in memory too as long as nobody else wants the room.
    """

    memory: float
    disk: float

    def check(self, folder: Path) -> None:
        """Raise :class:`DuplexError` when this machine, or the disk of ``folder``, has less.

        What an interrupted bake has left in ``folder`` already is not needed again.
        """
        free, memory = shutil.disk_usage(folder).free, available_memory()
        free += sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        if self.disk > free:
            raise DuplexError(
                f"{folder}: {free / GIB:.1f} GiB free, this bake needs {self.disk / GIB:.1f} GiB there while it runs: "
                "make room, give fewer --views or a smaller --view-size, or leave the photos out with --photo-steps 0"
            )
        if memory is not None and self.memory > memory:
            raise DuplexError(
                f"this bake needs about {self.memory / GIB:.1f} GiB of memory, {memory / GIB:.1f} GiB are available: "
                "give a smaller --grid, --texels or --batch, or close other programs"
            )


def available_memory() -> float | None:
    """Bytes of memory that a program may still take; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return None
