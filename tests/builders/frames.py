"""A similarity transform for tests of coordinate frames."""

from __future__ import annotations

import numpy as np

from duplex.app.scene.camera import look_at


def similarity() -> np.ndarray:
    turn = look_at(np.array([1.0, 2.0, 3.0]), np.zeros(3), np.array([0, 0, 1.0]))
    return np.diag([2.5, 2.5, 2.5, 1]) @ turn
