"""Pictures that a bundle should look like: its teacher's, or photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera

TEACHER, PHOTO = "teacher", "photo"
MAX_REFERENCE_SIDE = 2048  # pixels
NEAR, ALIKE = 1e-3, 2e-3  # of the scene's radius, and of a rotation: what no eye can tell


@dataclass(frozen=True, eq=False)
class Reference:
    """What is seen from ``camera``: ``rgba`` (height, width, 4) uint8, straight; ``kind``: ``teacher`` or ``photo``."""

    kind: str
    camera: Camera
    rgba: Array

    def stands_at(self, camera: Camera, radius: float) -> bool:
        """Whether ``camera`` is in the same place of a scene of ``radius`` and looks the same way."""
        mine, other = self.camera.camera_to_world, camera.camera_to_world
        away = float(np.linalg.norm(mine[:3, 3] - other[:3, 3]))
        return away <= NEAR * radius and bool(np.abs(mine[:3, :3] - other[:3, :3]).max() <= ALIKE)

    def place(self, camera: Camera) -> tuple[float, float, float, float]:
        """Where pixels of ``camera`` are in this picture: x and y, from the bottom left, times the first two plus the
        last two numbers."""
        mine = self.camera
        x, y = mine.fx / camera.fx, mine.fy / camera.fy
        return x, y, mine.cx - x * camera.cx, mine.height - mine.cy - y * (camera.height - camera.cy)

    def over(self, background: tuple[float, float, float]) -> Array:
        """The picture on ``background``, (height, width, 3) float32 in [0, 1]."""
        rgba = self.rgba.astype(np.float32) / 255
        return np.asarray(rgba[..., :3] * rgba[..., 3:] + np.array(background, np.float32) * (1 - rgba[..., 3:]))
