"""The common result of all dataset readers: frames with poses and lenses, pictures not yet opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER
from duplex.baking.datasets.lens import Lens
from duplex.baking.datasets.pictures import Size

SPLITS = ("train", "val", "test")
MAX_FRAMES = 4000  # a bundle holds the presets beside them
HOLD_OUT = 8
MIN_SCALE = 1e-9


@dataclass(frozen=True)
class DatasetFrame:
    """One picture that a file names.

    ``name``: file and frame, for errors; ``pose``: camera to world, (4, 4) float64; ``picture``: None when absent;
    ``mask``: its path as the file has it, relative to the dataset; ``scale``: the homogeneous scale w of the file's
    matrix, by which it was divided.
    """

    name: str
    pose: Array
    lens: Lens
    picture: Path | None
    mask: str | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class SparsePoints:
    """Points that structure from motion found, in the world of a dataset's cameras.

    ``positions``: (n, 3) float64; ``eyes``: (k, 3) float64, positions of cameras; ``sightings``: (m, 2) int64, rows of
    an eye and of a point that it sees.
    """

    positions: Array
    eyes: Array
    sightings: Array


@dataclass(frozen=True)
class Listing:
    """A dataset as described by its files; the members are those of :class:`duplex.baking.datasets.photos.Dataset`.

    ``source``: the files, for errors; ``assumed``: the size of absent pictures whose lens names none; ``up``: what the
    format calls up.
    """

    kind: str
    folder: Path
    source: str
    frames: dict[str, tuple[DatasetFrame, ...]]
    up: Array
    near: float | None = None
    far: float | None = None
    to_original: Array = field(default_factory=lambda: np.eye(4))
    assumed: Size | None = None
    sparse: SparsePoints | None = None

    def unique(self) -> list[DatasetFrame]:
        """Every frame once, even if it is in two splits."""
        return list({id(frame): frame for frames in self.frames.values() for frame in frames}.values())


def every_eighth(frames: list[DatasetFrame]) -> dict[str, tuple[DatasetFrame, ...]]:
    """The usual splits of a dataset without its own: every 8th frame, from the first on, is held out."""
    held_out = tuple(frames[::HOLD_OUT])
    rest = tuple(frame for i, frame in enumerate(frames) if i % HOLD_OUT) or held_out
    return {"train": rest, "val": held_out, "test": held_out}


def homogeneous_scale(matrix: Array) -> float:
    """The w by which a matrix (4, 4) with a last row of 0 0 0 w must be divided to be a rotation and a translation.

    1 for a matrix (3, 4), and where the division makes no rotation of it.
    """
    row = matrix[3] if len(matrix) == 4 else np.array([0.0, 0, 0, 1])
    if row[:3].any() or abs(row[3]) < MIN_SCALE or np.isclose(row[3], 1, rtol=0, atol=1e-6):
        return 1.0
    axes = matrix[:3, :3] / row[3]
    return float(row[3]) if np.allclose(axes @ axes.T, np.eye(3), atol=1e-2) else 1.0


def checked_pose(matrix: Array, name: str) -> Array:
    """``matrix``, (3, 4) or (4, 4), as a camera-to-world matrix (4, 4) float64.

    Raises :class:`DuplexError`, which begins with ``name``, unless it is a finite right-handed rotation and a
    translation.
    """
    pose = np.eye(4)
    pose[: len(matrix)] = matrix
    wrong = pose[~(np.abs(pose) < MAX_NUMBER)]
    if wrong.size:
        raise DuplexError(
            f"{name}: camera_to_world holds {wrong[0]}: expected finite numbers: export its pose again or remove it"
        )
    if not np.allclose(pose[3], [0, 0, 0, 1], rtol=0, atol=1e-6):
        remedy = "write the matrix row by row"
        if not pose[3, :3].any():
            remedy = f"its homogeneous scale w is {pose[3, 3]:.4g}: write 1, or divide what belongs to it by w"
        raise DuplexError(f"{name}: camera_to_world: last row {_row(pose[3])}: expected 0 0 0 1: {remedy}")
    rotation = pose[:3, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2):
        lengths = _row(np.linalg.norm(rotation, axis=0))
        raise DuplexError(
            f"{name}: camera_to_world: axes {lengths} long: expected three of length 1 at right angles: "
            "take scale and shear out of the pose"
        )
    if np.linalg.det(rotation) < 0:
        raise DuplexError(
            f"{name}: camera_to_world: left-handed, determinant {np.linalg.det(rotation):.3g}: expected a "
            "right-handed rotation: turn one of its axes round"
        )
    return pose


def _row(numbers: Array) -> str:
    return " ".join(f"{number:.4g}" for number in numbers)
