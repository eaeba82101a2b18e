"""The crop box: what ``duplex-bake --crop`` would keep, drawn over the scene."""

from __future__ import annotations

import itertools

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import Bundle
from duplex.app.viewer.gui.overlay import Overlay
from duplex.app.viewer.look import Box

COLOR = 0xFF60E060  # ABGR
_CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
_EDGES = [(a, b) for a, b in itertools.combinations(range(8), 2) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1]


def box_around(bundle: Bundle) -> Box:
    """The axis-aligned box around ``bundle`` in the dataset's frame."""
    low, high = bundle.bounds
    corners = _placed(np.where(_CORNERS, high, low), bundle.to_dataset)
    return _three(corners.min(0)), _three(corners.max(0))


def draw_crop_box(box: Box, bundle: Bundle, overlay: Overlay) -> None:
    """Declare the edges of ``box``, which is in the dataset's frame."""
    low, high = (np.array(corner) for corner in box)
    corners = _placed(np.where(_CORNERS, high, low), np.linalg.inv(bundle.to_dataset))
    for a, b in _EDGES:
        overlay.line(corners[[a, b]], COLOR)


def as_flag(box: Box) -> str:
    """The flag of ``duplex-bake`` that crops to ``box``."""
    return "--crop " + " ".join(f"{x:.5g}" for corner in box for x in corner)


def _placed(points: Array, matrix: Array) -> Array:
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (float(f"{value:.5g}") for value in values)
    return x, y, z
