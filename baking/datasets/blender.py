"""Blender's folders (NeRF-synthetic, and instant-ngp's with splits): ``transforms_{train,val,test}.json``.

A frame's path goes with or without the picture's extension. Where the file names no size, a camera whose picture is
absent is one of 800 x 800. World: ``+z`` is up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duplex.app.core.errors import DuplexError
from duplex.baking.datasets.frames import SPLITS, DatasetFrame, Listing
from duplex.baking.datasets.transforms import frames_of, read_transforms

KIND = "blender"
ASSUMED_SIZE = (800, 800)


def matches(path: Path) -> bool:
    """Whether any split is there, or is ``path`` itself."""
    files = [_file(path, split) for split in SPLITS]
    return any(file.is_file() for file in files) or (path.is_file() and path.name in [file.name for file in files])


def read(path: Path, split: str | None = None) -> Listing:
    """Read one split, or all that are there; raises :class:`DuplexError` when it is not."""
    folder = path.parent if path.is_file() else path
    splits = [split] if split else [name for name in SPLITS if _file(folder, name).is_file()]
    frames = {name: _frames(_file(folder, name)) for name in splits}
    source = ", ".join(_file(folder, name).name for name in splits)
    return Listing(KIND, folder, source, frames, np.array([0.0, 0.0, 1.0]), assumed=ASSUMED_SIZE)


def _frames(file: Path) -> tuple[DatasetFrame, ...]:
    if not file.is_file():
        raise DuplexError(
            f"{file}: no such file: expected the folder of a Blender dataset (transforms_train.json, ...)"
        )
    return tuple(frames_of(*read_transforms(file, "a Blender dataset"), file))


def _file(folder: Path, split: str) -> Path:
    return folder / f"transforms_{split}.json"
