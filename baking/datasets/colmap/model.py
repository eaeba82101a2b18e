"""The records of a COLMAP reconstruction, common to its binary and text files, and its camera models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import shown
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.frames import MAX_FRAMES, checked_pose
from duplex.baking.datasets.lens import Lens

MAX_SIDE = 1 << 17
MAX_SAMPLE = 50_000
MAX_TRACK = 64  # images of a point that are looked at
MODEL_NAMES = (
    "SIMPLE_PINHOLE",
    "PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "OPENCV_FISHEYE",
    "FULL_OPENCV",
    "FOV",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
    "THIN_PRISM_FISHEYE",
)  # by COLMAP's number


@dataclass(frozen=True)
class CameraModel:
    """A camera model: how many parameters; whether the first two are fx, fy (else one f); the rest as distortion."""

    parameters: int
    two_focals: bool
    distortion: Callable[[tuple[float, ...]], Distortion | None]


MODELS = {
    "SIMPLE_PINHOLE": CameraModel(3, False, lambda k: None),
    "PINHOLE": CameraModel(4, True, lambda k: None),
    "SIMPLE_RADIAL": CameraModel(4, False, Distortion),
    "RADIAL": CameraModel(5, False, Distortion),
    "OPENCV": CameraModel(8, True, lambda k: Distortion(k[:2], (), (k[2], k[3]))),
    "OPENCV_FISHEYE": CameraModel(8, True, lambda k: Distortion(k, fisheye=True)),
    "FULL_OPENCV": CameraModel(12, True, lambda k: Distortion((*k[:2], k[4]), k[5:], (k[2], k[3]))),
    "SIMPLE_RADIAL_FISHEYE": CameraModel(4, False, lambda k: Distortion(k, fisheye=True)),
    "RADIAL_FISHEYE": CameraModel(5, False, lambda k: Distortion(k, fisheye=True)),
}


@dataclass(frozen=True)
class PosedImage:
    """An image's row: world to camera as a quaternion w x y z and a translation, with OpenCV's axes.

    ``number``: its own, ``camera``: its lens's.
    """

    name: str
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    camera: int
    number: int = 0

    def pose(self, name: str) -> Array:
        """Camera to world, (4, 4) float64, with OpenGL's axes.

        Raises :class:`DuplexError`, which begins with ``name``, for values that are not a pose.
        """
        q = np.array(self.quaternion)
        if not (np.abs(q) < 2).all() or abs(np.linalg.norm(q) - 1) > 1e-2:
            numbers = " ".join(f"{x:g}" for x in q)
            raise DuplexError(f"{name}: quaternion {numbers}: expected one of length 1: export the model again")
        rotation = rotation_of(q / np.linalg.norm(q))
        with np.errstate(all="ignore"):  # what is not finite is refused below
            pose = np.concatenate([rotation.T, -rotation.T @ np.array(self.translation)[:, None]], 1)
        return checked_pose(pose * [1, -1, -1, 1], name)


@dataclass(frozen=True)
class PointRows:
    """Rows of points: ``positions`` (n, 3) float64; ``sightings`` (m, 2) int64, an image's number and a point's row."""

    positions: Array
    sightings: Array

    @classmethod
    def of(cls, positions: list[tuple[float, ...]], seen_by: list[list[int]]) -> PointRows:
        """From the position of each point and the numbers of the images that show it."""
        pairs = [(number, row) for row, numbers in enumerate(seen_by) for number in numbers]
        return cls(np.array(positions, np.float64).reshape(-1, 3), np.array(pairs, np.int64).reshape(-1, 2))


def model_of(name: str, where: str) -> CameraModel:
    """The camera model called ``name``; raises :class:`DuplexError` for any other."""
    if name not in MODELS:
        raise DuplexError(
            f"{where}: camera model {shown(name)}: expected one of {', '.join(MODELS)}: undistort with COLMAP's "
            "image_undistorter"
        )
    return MODELS[name]


def lens_of(model: CameraModel, width: int, height: int, parameters: tuple[float, ...], where: str) -> Lens:
    """The lens of a camera's row; raises :class:`DuplexError` for impossible sizes and values."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and np.isfinite(parameters).all()):
        raise DuplexError(
            f"{where}: {width} x {height}, {' '.join(f'{x:g}' for x in parameters)}: expected a size in pixels and "
            "finite numbers: export the model again"
        )
    fx, fy, cx, cy, *rest = parameters if model.two_focals else (parameters[0], *parameters)
    return Lens((width, height), fx, fy, cx, cy, distortion=model.distortion(tuple(rest)))


def check_image_count(count: int, where: str) -> None:
    """Raise :class:`DuplexError` for a model without images, or with more than are read."""
    if not 1 <= count <= MAX_FRAMES:
        raise DuplexError(f"{where}: {count} images: expected 1 to {MAX_FRAMES}: take a part of the model")


def rotation_of(q: Array) -> Array:
    """The rotation (3, 3) of a unit quaternion w x y z."""
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
