"""Memory: what a bake will need, and how it gets by with less when that is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from duplex.app.core.errors import DuplexError, out_of_memory

GIB = 2**30
SMALLEST_CHUNK = 256
CONTROL_GROUPS = (  # as Linux shows them in a container: folder, limit, what is taken, and what of that is cache
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "file"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)

Result = TypeVar("Result")


class OutOfMemory(DuplexError, RuntimeError):
    """Memory ran out even for the smallest portion; whoever shares out larger ones may still try smaller ones."""


def with_less(function: Callable[[int], Result], size: int, smallest: int = SMALLEST_CHUNK) -> tuple[Result, int]:
    """``function(size)``, or of half the size, and so on, as long as memory runs out; and the size that went.

    Raises :class:`OutOfMemory` when even ``smallest`` does not fit.
    """
    while True:
        try:
            return function(size), size
        except RuntimeError as error:
            if not isinstance(error, OutOfMemory) and not out_of_memory(error):
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
    """Bytes that a bake will take at its peaks: ``memory``, ``disk`` in its folder, and ``gpu`` if it uses one.

    What lies on disk is mapped: the system keeps it in memory too as long as nobody else wants the room.
    """

    memory: float
    disk: float
    gpu: float = 0.0

    def check(self, folder: Path, device: torch.device | None = None) -> None:
        """Raise :class:`DuplexError` when this machine, the disk of ``folder``, or the GPU ``device`` has less.

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
        if self.gpu and device and self.gpu > (left := torch.cuda.mem_get_info(device)[0]):
            raise DuplexError(
                f"this bake needs about {self.gpu / GIB:.1f} GiB on {device}, {left / GIB:.1f} GiB are free there: "
                "give a smaller --grid, --texels or --batch, or --device cpu"
            )


def peak_gpu_memory(device: torch.device) -> float:
    """The most bytes that tensors have taken on a GPU, 0 for a CPU."""
    return float(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else 0.0


def available_memory() -> float | None:
    """Bytes of memory that a program may still take, in a container of what that has; None where nobody tells."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
        return min([free, *_left_in_containers()])
    except (OSError, StopIteration, ValueError):
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return None


def _left_in_containers() -> Iterator[float]:
    """What control groups of this program, of version 2 or 1, leave of their limits; caches do not count as taken."""
    for folder, limit, used, cached in CONTROL_GROUPS:
        try:
            most, now = (float((folder / name).read_text("ascii")) for name in (limit, used))
            lines = (folder / "memory.stat").read_text("ascii").splitlines()
            yield most - now + sum(float(line.split()[1]) for line in lines if line.split()[0] == cached)
        except (OSError, ValueError, IndexError):  # no such group, or one without a limit ("max")
            continue
