"""Intrinsics and distortion of a picture from a dataset's file, and the camera made from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.decoding import same_shape
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.pictures import Size

MIN_FOV, MAX_FOV = 1.0, 170.0  # degrees
UNLIKELY_FOV = (2.0, 150.0)  # outside of them
UNLIKELY_RATIO = 1.5  # of the two focal lengths
UNLIKELY_TANGENT = 0.1  # a tangential coefficient


@dataclass(frozen=True)
class Lens:
    """Intrinsics as stored in the file.

    ``size``: width and height that the numbers are for, None for the picture's own; ``fx``, ``fy``, ``cx``, ``cy``:
    pixels of that size; ``angle_x``, ``angle_y``: fields of view in radians, used where ``fx``, ``fy`` are
    None. Where one direction has neither, it has the focal length of the other; without a principal point, the centre
    is used. ``crop_radius``: pixels of that size around the principal point beyond which nothing counts.
    """

    size: Size | None = None
    fx: float | None = None
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None
    angle_x: float | None = None
    angle_y: float | None = None
    distortion: Distortion | None = None
    crop_radius: float | None = None

    @property
    def in_angles(self) -> bool:
        """Whether it holds for any picture size because no value is in pixels."""
        return self.size is None and (self.fx, self.fy, self.cx, self.cy) == (None, None, None, None)

    def crop_radius_at(self, height: int) -> float | None:
        """The crop radius in a picture of ``height``, if there is one."""
        scale = 1 if self.size is None else height / self.size[1]
        return None if self.crop_radius is None else self.crop_radius * scale

    def camera(self, pose: Array, size: Size, name: str) -> Camera:
        """The pinhole camera of a picture of ``size``.

        Raises :class:`DuplexError`, which begins with ``name``, when the picture has another aspect ratio than the
        file states, or when the field of view is impossible.
        """
        named = self.size or size
        if not same_shape(size, named):
            raise DuplexError(
                f"{name}: a picture of {size[0]} x {size[1]}: expected the shape of {named[0]} x {named[1]}, for "
                "which its cameras are written: put the pictures back that the dataset was made from"
            )
        fx, fy = self._focal(named, name)
        cx = named[0] / 2 if self.cx is None else self.cx
        cy = named[1] / 2 if self.cy is None else self.cy
        if not max(abs(cx), abs(cy)) < MAX_NUMBER:
            raise DuplexError(f"{name}: principal point {cx:g}, {cy:g}: expected numbers of pixels: calibrate again")
        x, y = size[0] / named[0], size[1] / named[1]
        return Camera(pose, *size, float(fx * x), float(fy * y), float(cx * x), float(cy * y))

    def _focal(self, size: Size, name: str) -> tuple[float, float]:
        fx = self.fx if self.fx is not None else _focal_of(self.angle_x, size[0])
        fy = self.fy if self.fy is not None else _focal_of(self.angle_y, size[1])
        fx = fy if fx is None else fx
        fy = fx if fy is None else fy
        if fx is None or fy is None:
            raise DuplexError(f"{name}: no focal length: expected fl_x or camera_angle_x: write one of them")
        for focal, side in ((fx, size[0]), (fy, size[1])):
            fov = math.degrees(2 * math.atan2(side / 2, focal)) if math.isfinite(focal) else math.nan
            if not MIN_FOV <= fov <= MAX_FOV:
                raise DuplexError(
                    f"{name}: focal length {focal:g} for {side} pixels, a field of view of {fov:g} degrees: expected "
                    f"{MIN_FOV:g} to {MAX_FOV:g}: correct the focal length or the angle"
                )
        return fx, fy


def _focal_of(angle: float | None, side: int) -> float | None:
    """Focal length in pixels of a field of view, radians, across ``side`` pixels."""
    if angle is None:
        return None
    return 0.5 * side / math.tan(0.5 * angle) if 1e-9 < angle < math.pi else math.nan


def doubts(camera: Camera, distortion: Distortion | None) -> list[str]:
    """What makes a lens an unlikely one: it is seldom meant so, but can be used."""
    sides = ((camera.width, camera.fx), (camera.height, camera.fy))
    angles = [math.degrees(2 * math.atan2(side, 2 * focal)) for side, focal in sides]
    found = []
    if not (distortion and distortion.fisheye) and not all(UNLIKELY_FOV[0] <= x <= UNLIKELY_FOV[1] for x in angles):
        found.append(f"it sees {angles[0]:.3g} x {angles[1]:.3g} degrees")
    if not 1 / UNLIKELY_RATIO <= camera.fx / camera.fy <= UNLIKELY_RATIO:
        found.append(f"its focal lengths are {camera.fx:.4g} and {camera.fy:.4g}")
    if not (0 <= camera.cx <= camera.width and 0 <= camera.cy <= camera.height):
        found.append(f"its principal point {camera.cx:.4g}, {camera.cy:.4g} is outside of the picture")
    if distortion and distortion.folds(camera):
        found.append("its distortion folds the picture")
    if distortion and max(map(abs, distortion.tangential)) > UNLIKELY_TANGENT:
        found.append(f"p1, p2 are {distortion.tangential[0]:.3g}, {distortion.tangential[1]:.3g}")
    return found
