"""Reference images: ground truth that the bundle's rendering is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera

TEACHER, PHOTO = "teacher", "photo"
MAX_REFERENCE_SIDE = 2048  # pixels
MAX_DISTANCE = 1e-3  # between equal camera positions, in units of the scene's radius
MAX_ROTATION = 2e-3  # between equal rotations, largest difference of a matrix element


@dataclass(frozen=True, eq=False)
class Reference:
    """The image that ``camera`` should show.

    ``kind``: ``"teacher"`` for a rendering of the NeRF, ``"photo"`` for a photo of the dataset; ``rgba``: (height,
    width, 4) uint8, straight alpha, of the camera's size.
    """

    kind: str
    camera: Camera
    rgba: Array

    def stands_at(self, camera: Camera, radius: float) -> bool:
        """Whether ``camera`` has the same pose, up to invisible differences; ``radius``: of the scene, world units."""
        difference = self.camera.camera_to_world - camera.camera_to_world
        distance = float(np.linalg.norm(difference[:3, 3]))
        return distance <= MAX_DISTANCE * radius and bool(np.abs(difference[:3, :3]).max() <= MAX_ROTATION)

    def place(self, camera: Camera) -> tuple[float, float, float, float]:
        """The map from pixels of ``camera`` to pixels of this image: scale x, scale y, offset x, offset y.

        Both pixel coordinates count from the bottom left corner; pixel (x, y) of ``camera`` is
        (scale x * x + offset x, scale y * y + offset y) here. Both cameras have the same pose.
        """
        own = self.camera
        x, y = own.fx / camera.fx, own.fy / camera.fy
        return x, y, own.cx - x * camera.cx, own.height - own.cy - y * (camera.height - camera.cy)

    def over(self, background: tuple[float, float, float]) -> Array:
        """The image over an RGB ``background`` in [0, 1]: (height, width, 3) float32 in [0, 1]."""
        rgba = self.rgba.astype(np.float32) / 255
        return np.asarray(rgba[..., :3] * rgba[..., 3:] + np.array(background, np.float32) * (1 - rgba[..., 3:]))
