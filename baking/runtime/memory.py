"""What a bake needs of memory and disk, and what the machine has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from duplex.app.core.errors import DuplexError

GIB = 2**30
CONTROL_GROUPS = (  # in a Linux container: folder, limit, use, and which part of the use is cache
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "file"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)


@dataclass(frozen=True)
class Needs:
    """Bytes that a bake will take at its peaks: ``memory``, ``disk`` in its folder, and ``gpu`` if it uses one.

    Files on disk are mapped; the system caches them in memory while nothing else needs the room.
    """

    memory: float
    disk: float
    gpu: float = 0.0

    def check(self, folder: Path, device: torch.device | None = None) -> None:
        """Raise :class:`DuplexError` when this machine, the disk of ``folder``, or the GPU ``device`` has less.

        What an interrupted bake has left in ``folder`` already is not needed again.
        """
        memory = available_memory()
        free = psutil.disk_usage(str(folder)).free
        free += sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        if self.disk > free:
            raise DuplexError(
                f"{folder}: {free / GIB:.1f} GiB free, this bake needs {self.disk / GIB:.1f} GiB there while it runs: "
                "make room, give fewer --views or a smaller --view-size, or leave the photos out with --photo-steps 0"
            )
        if self.memory > memory:
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
    """The most bytes that tensors have taken on the GPU ``device``; 0 for a CPU."""
    return float(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else 0.0


def available_memory() -> float:
    """Bytes of memory that this program may still take; in a container, what that has left."""
    return min([float(psutil.virtual_memory().available), *_left_in_containers()])


def _left_in_containers() -> Iterator[float]:
    """What the control groups of this program (version 2 or 1) leave of their limits; caches count as free.

    psutil does not know them.
    """
    for folder, limit, used, cached in CONTROL_GROUPS:
        try:
            most, now = (float((folder / name).read_text("ascii")) for name in (limit, used))
            lines = (folder / "memory.stat").read_text("ascii").splitlines()
            yield most - now + sum(float(line.split()[1]) for line in lines if line.split()[0] == cached)
        except (OSError, ValueError, IndexError):  # no such group, or one without a limit ("max")
            continue


def peak_memory_gib() -> float:
    """The most memory this process has held, in GiB (0 where the system does not tell)."""
    if sys.platform == "win32":
        return 0.0
    import resource  # Unix only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
