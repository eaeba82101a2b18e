"""The reference view of a shading network: from where and at which resolution it learned what neighbouring pixels mean.

Alphabet: ``e``, ``s`` are the mean position of the training cameras and their root-mean-square distance from it, ``f``
their focal length in pixels. A surface point ``p`` was seen from the root-mean-square distance
``d(p) = sqrt(|p - e|^2 + s^2)``, and a pixel covered ``d(p) / f`` of it. Seen by another camera with focal length ``g``
pixels at depth ``z``, a pixel covers ``z / g``. The scale of that pixel is ``r = (d(p) / f) / (z / g)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER, Node

DEFAULT_SIZE = 200  # pixels: of the training views of bundles that do not say it


@dataclass(frozen=True)
class ReferenceView:
    """``eye``, ``spread``, ``focal``: the ``e``, ``s`` and ``f`` of this module; world units, and pixels."""

    eye: tuple[float, float, float]
    spread: float
    focal: float

    def distances(self, points: Array) -> Array:
        """``d(p)`` of world points (..., 3), world units."""
        return np.asarray(np.sqrt(((points - np.array(self.eye)) ** 2).sum(-1) + self.spread**2))

    def distance_range(self, center: Array, radius: float) -> tuple[float, float]:
        """The least and the largest ``d(p)`` inside a sphere."""
        offset = float(np.linalg.norm(center - np.array(self.eye)))
        return math.hypot(max(offset - radius, 0), self.spread), math.hypot(offset + radius, self.spread)

    def to_json(self) -> dict[str, Any]:
        """The manifest's object."""
        return {"eye": list(self.eye), "spread": self.spread, "focal": self.focal}

    @classmethod
    def from_json(cls, data: Node) -> ReferenceView:
        """Read :meth:`to_json`'s object; raises :class:`DuplexError` for anything else."""
        x, y, z = data.numbers("eye", 3).tolist()
        view = cls((x, y, z), data.number("spread", 0, MAX_NUMBER), data.number("focal", 0, MAX_NUMBER))
        if not view.focal > 0:
            raise data.wrong("focal", "a focal length in pixels, above 0")
        return view


def reference_of_version_1(rig: Node, report: Node) -> ReferenceView | None:
    """The reference view of a bundle of format 1, from its rig and its settings; None if it records no rig."""
    try:
        forward = rig.flag("forward", False)
        eye = rig.numbers("eye" if forward else "center", 3)
        spread = rig.number("spread", 0, MAX_NUMBER) if forward else rig.number("radius", 0, MAX_NUMBER)
        fov = rig.number("fov", 1e-6, 3)
        narrow = min(rig.number("aspect", 0.01, 100, 1), 1.0)  # training views are as wide as the shorter side
    except DuplexError:
        return None
    try:
        size = report.child("settings").child("views").whole("view_size", 16, 1 << 14)
    except DuplexError:
        size = DEFAULT_SIZE
    x, y, z = eye.tolist()
    return ReferenceView((x, y, z), spread, 0.5 * size / (math.tan(0.5 * fov) * narrow))
