"""svox2's checkpoints."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from builders.grid.voxels import Content, rng


def plenoxels(count: int = 9, sides: tuple[int, int, int] = (4, 5, 6), unit: bool = False) -> Content:
    """What ``np.savez`` gets from svox2: a grid with missing voxels, the others in a scrambled order."""
    random, cells = rng(4), math.prod(sides)
    kept = random.permutation(cells)[: int(0.8 * cells)]
    links = np.full(cells, -1, np.int32)
    links[kept] = np.arange(len(kept))
    links[links < 0] = random.integers(-5, 0, (links < 0).sum())  # svox2 keeps distances to voxels there
    return {
        "radius": np.array([1, 1, 1] if unit else [1.5, 1.2, 0.9], np.float32),
        "center": np.array([0, 0, 0] if unit else [0.2, -0.1, 0.3], np.float32),
        "links": links.reshape(sides),
        "density_data": random.normal(size=(len(kept), 1)).astype(np.float32),
        "sh_data": random.normal(size=(len(kept), 3 * count), scale=0.4).astype(np.float16),
        "basis_type": np.array(1),
    }


def write_npz(path: Path, content: Content) -> Path:
    np.savez(path, **content)
    return path
