"""What the files beside a KiloNeRF checkpoint say: its box and depths, the grid of its networks, its occupancy grid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.families.mlp.kilonerf_field import MAX_NETWORKS
from duplex.baking.checkpoints.files import LONE, read_checkpoint, read_small_text, yaml_beside
from duplex.baking.checkpoints.tree import CheckpointNode

NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")
MAX_NUMBERS = 16  # of a text that are looked at
LIST = r"\[([^\[\]]{0,200})\]"
ONE = r"([^\s,]{1,40})"
LOG = re.compile(f"global_domain_min: {LIST}, global_domain_max: {LIST}, near: {ONE}, far: {ONE},")
MAX_CONFIGS = 16
MAX_CONFIG_BYTES = 1 << 17  # of all together: the parser is slow


@dataclass(frozen=True)
class Facts:
    """``corners``: low x y z, high x y z of the box; ``depths``: near and far; ``resolution`` of the networks' grid."""

    corners: tuple[float, ...] | None = None
    depths: tuple[float, float] = (2.0, 6.0)
    resolution: tuple[int, int, int] | None = None


def facts(folder: Path) -> Facts:
    """Values from ``log.txt``, ``bbox.txt``, ``near_and_far.txt`` and ``.yaml`` files beside a checkpoint."""
    corners: list[float] = []
    depths = [2.0, 6.0]
    for low, high, near, far in LOG.findall(read_small_text(folder / "log.txt"))[-1:]:
        corners = _numbers(low) + _numbers(high)
        depths = [*_numbers(near), *_numbers(far), *depths]
    box, stated = (_numbers(read_small_text(folder / name)) for name in ("bbox.txt", "near_and_far.txt"))
    corners = box[:6] if len(box) >= 6 else corners
    depths = stated if len(stated) == 2 else depths
    return Facts(tuple(corners) if len(corners) == 6 else None, (depths[0], depths[1]), _resolution(folder))


def _numbers(text: str) -> list[float]:
    return [float(number[0]) for number in islice(NUMBER.finditer(text), MAX_NUMBERS)]


def _resolution(folder: Path) -> tuple[int, int, int] | None:
    """The ``fixed_resolution`` that the configurations state; those of other programs are passed over."""
    found = None
    left = MAX_CONFIG_BYTES
    for file in sorted(folder.glob("*.yaml"))[:MAX_CONFIGS]:
        left -= file.stat().st_size
        if left < 0:
            break
        try:
            found = _sides(yaml_beside(file, "KiloNeRF").at("fixed_resolution"))
        except DuplexError:
            continue
    return found


def _sides(node: CheckpointNode) -> tuple[int, int, int]:
    if len(node.children(3)) != 3:
        raise DuplexError(f"{node.name} is no list of three")
    a, b, c = (node.whole(place, 1, MAX_NETWORKS) for place in range(3))
    return a, b, c


def occupancy(folder: Path, state_classes: tuple[str, ...]) -> Tensor | None:
    """The occupancy grid (x, y, z) bool in ``occupancy.pth`` beside the checkpoint; None without it."""
    file = folder / "occupancy.pth"
    if not file.is_file():
        return None
    root = read_checkpoint(file, state_classes).root
    shape = root.shape(LONE)
    if root.dtype(LONE) != "b1" or shape is None or len(shape) != 3 or 0 in shape:
        raise DuplexError(
            f"{file}: expected a grid of true and false in three dimensions, as build_occupancy_tree writes it"
        )
    return torch.from_numpy(root.bits(LONE) != 0)  # a file may hold other bytes than 0 and 1
