"""Checks that the machine has the memory and disk space that a bake needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from duplex.app.core.errors import DuplexError

GIB = 2**30
CONTROL_GROUPS = (  # of a Linux container: folder, file of the limit, file of the usage, key of the cache's share in it
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "file"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)


@dataclass(frozen=True)
class Needs:
    """Peak needs of a bake in bytes: ``memory``, ``disk`` in its workspace, and ``gpu`` memory, 0 on a CPU.

    Files of the workspace are mapped. The system caches them in free memory, so they do not count as ``memory``.
    """

    memory: float
    disk: float
    gpu: float = 0.0

    def check(self, folder: Path, device: torch.device | None = None) -> None:
        """Raise :class:`DuplexError` if memory, the disk of ``folder`` or the GPU ``device`` has less than needed.

        Files of an interrupted bake in ``folder`` count as free space: the bake reuses or replaces them.
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
    """The peak of bytes that tensors occupied on the GPU ``device``; 0 for a CPU."""
    return float(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else 0.0


def available_memory() -> float:
    """Bytes of memory that this process can still allocate, within the limits of its container."""
    return min([float(psutil.virtual_memory().available), *_left_in_containers()])


def _left_in_containers() -> Iterator[float]:
    """Bytes left under the limit of each control group (version 2 or 1) of this process; caches count as free.

    psutil does not read these limits.
    """
    for folder, limit, used, cached in CONTROL_GROUPS:
        try:
            most, now = (float((folder / name).read_text("ascii")) for name in (limit, used))
            lines = (folder / "memory.stat").read_text("ascii").splitlines()
            yield most - now + sum(float(line.split()[1]) for line in lines if line.split()[0] == cached)
        except (OSError, ValueError, IndexError):  # the group does not exist or has no limit ("max")
            continue


def peak_memory_gib() -> float:
    """The peak memory of this process in GiB; 0 where the system does not report it."""
    if sys.platform == "win32":
        return 0.0
    import resource  # Unix only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
