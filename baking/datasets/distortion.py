"""Lens distortion, and pictures freed from it.

* ``x, y``: a pixel of the pinhole camera on the plane at depth 1, OpenCV's axes (``y`` down); ``r = |(x, y)|``.
* Perspective (OpenCV): ``x' = x g + 2 p1 x y + p2 (r² + 2 x²)``, ``y' = y g + p1 (r² + 2 y²) + 2 p2 x y`` with
  ``g = (1 + n1 r² + n2 r⁴ + ...) / (1 + d1 r² + d2 r⁴ + ...)``.
* Fisheye (OpenCV): ``x' = x t' / r``, ``y' = y t' / r`` with ``t = atan r``, ``t' = t (1 + n1 t² + n2 t⁴ + ...)``.
* The source pixel lies at ``(fx x' + cx, fy y' + cy)``, by the same focal lengths and principal point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera

ROWS_AT_A_TIME = 256
RADIUS_STEPS = 4096
FOLDED = 0.7  # of the corner's radius


@dataclass(frozen=True)
class Distortion:
    """The distortion of a lens, relative to a pinhole camera.

    ``numerator``, ``denominator``: n1, n2, ... and d1, d2, ... (the latter of perspective lenses only);
    ``tangential``: p1, p2; ``fisheye``: which of the two formulas.
    """

    numerator: tuple[float, ...] = ()
    denominator: tuple[float, ...] = ()
    tangential: tuple[float, float] = (0.0, 0.0)
    fisheye: bool = False

    @property
    def bends(self) -> bool:
        """Whether it changes any pixel."""
        return self.fisheye or any((*self.numerator, *self.denominator, *self.tangential))

    def distorted(self, x: Array, y: Array) -> tuple[Array, Array]:
        """``x', y'`` of ``x, y``, of any common shape."""
        r = np.hypot(x, y)
        g = self._bent(r) / np.maximum(r, 1e-12)
        if self.fisheye:
            return x * g, y * g
        p1, p2 = self.tangential
        return x * g + 2 * p1 * x * y + p2 * (r * r + 2 * x * x), y * g + p1 * (r * r + 2 * y * y) + 2 * p2 * x * y

    def folds(self, camera: Camera) -> bool:
        """Whether it folds the picture of ``camera`` onto itself well within its corners."""
        return self._limit(camera) < FOLDED * _corner(camera)

    def undistort(self, planes: Array, camera: Camera) -> tuple[Array, Array]:
        """The picture ``planes``, (h, w, c) float32, as ``camera`` of the same size sees it, sampled bilinearly.

        Returns it with (h, w) bool: which pixels have a source inside the picture; the others are 0. Only the
        intrinsics of ``camera`` are used.
        """
        seen = np.zeros_like(planes)
        inside = np.zeros(planes.shape[:2], bool)
        limit = self._limit(camera)
        for top in range(0, camera.height, ROWS_AT_A_TIME):
            rows = slice(top, min(top + ROWS_AT_A_TIME, camera.height))
            columns_at, rows_at, inside[rows] = self._sources(camera, rows, limit)
            seen[rows] = _bilinear(planes, rows_at, columns_at)
        seen[~inside] = 0
        return seen, inside

    def _sources(self, camera: Camera, rows: slice, limit: float) -> tuple[Array, Array, Array]:
        """Columns and rows, as indices, from which the pixels of ``rows`` come, and which lie in the picture."""
        x, y = camera.pinhole.on_plane(np.arange(camera.width), np.arange(rows.start, rows.stop)[:, None])
        x, y = np.broadcast_arrays(x, y)
        with np.errstate(all="ignore"):
            bent_x, bent_y = self.distorted(x, y)
            u, v = camera.fx * bent_x + camera.cx, camera.fy * bent_y + camera.cy
        inside = (u >= 0) & (u <= camera.width) & (v >= 0) & (v <= camera.height) & (np.hypot(x, y) < limit)
        return np.where(inside, u - 0.5, 0), np.where(inside, v - 0.5, 0), inside

    def _bent(self, r: Array) -> Array:
        """The distorted radius ``r'`` of radius ``r``, without the tangential part."""
        s = np.arctan(r) if self.fisheye else r
        return s * _series(self.numerator, s * s) / _series(self.denominator, s * s)

    def _limit(self, camera: Camera) -> float:
        """The radius beyond which the polynomials fold the picture onto itself; infinite if they do not."""
        r = np.linspace(0, _corner(camera), RADIUS_STEPS)
        with np.errstate(all="ignore"):
            folds = ~(np.diff(self._bent(r)) > 0)
        return float(r[np.argmax(folds)]) if folds.any() else np.inf


def _corner(camera: Camera) -> float:
    """The radius of the picture's farthest corner."""
    far_x = max(camera.cx, camera.width - camera.cx) / camera.fx
    far_y = max(camera.cy, camera.height - camera.cy) / camera.fy
    return float(np.hypot(far_x, far_y))


def _bilinear(planes: Array, rows: Array, columns: Array) -> Array:
    """``planes``, (h, w, c) float32, between its pixels, at indices of any common shape; clamped at the edges."""
    height, width = planes.shape[:2]
    top, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    down, across = ((at - low).astype(np.float32)[..., None] for at, low in ((rows, top), (columns, left)))
    flat = planes.reshape(height * width, -1)

    def line(row: Array) -> Array:
        start = np.clip(row, 0, height - 1) * width
        first, second = (flat[start + np.clip(column, 0, width - 1)] for column in (left, left + 1))
        return np.asarray(first + across * (second - first))

    upper = line(top)
    return np.asarray(upper + down * (line(top + 1) - upper))


def _series(coefficients: tuple[float, ...], square: Array) -> Array:
    """``1 + c1 square + c2 square² + ...``."""
    return 1 + square * np.polynomial.polynomial.polyval(square, coefficients) if coefficients else np.ones_like(square)
