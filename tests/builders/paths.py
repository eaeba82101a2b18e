"""Camera paths for tests."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import look_at
from duplex.app.scene.camera_path import CameraPath, Keyframe

EYE = np.eye(4)
KEY = {"matrix": EYE.reshape(-1).tolist(), "fov": 50}


def keyframe(angle: float, fov: float = 0.8, seconds: float | None = None) -> Keyframe:
    position = np.array([3 * math.cos(angle), 3 * math.sin(angle), 1.0])
    return Keyframe(look_at(position, np.zeros(3), np.array([0, 0, 1.0])), fov, seconds)


def path(count: int = 4, **settings) -> CameraPath:
    keys = tuple(keyframe(0.7 * i, 0.6 + 0.1 * i, None if i % 2 else 3.0 + i) for i in range(count))
    return replace(CameraPath(keys), **settings)


def similarity() -> Array:
    turned = look_at(np.array([0.3, -1.0, 2.0]), np.zeros(3), np.array([0, 1.0, 0]))
    turned[:3, :3] *= 2.5
    return turned


def same(first: CameraPath, second: CameraPath, tolerance: float = 1e-9) -> bool:
    return all(
        np.allclose(a.camera_to_world, b.camera_to_world, atol=tolerance) and abs(a.fov - b.fov) < tolerance
        for a, b in zip(first.keyframes, second.keyframes, strict=True)
    )
