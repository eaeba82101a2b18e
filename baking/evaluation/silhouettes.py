"""Measures of opacity: a bundle's picture over several backgrounds, along the teacher's silhouette, and its specks.

A picture on the background of the training hides a wrong opacity; over another background it shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from duplex.app.core.arrays import Array
from duplex.app.core.images import over
from duplex.app.core.metrics import psnr

BACKGROUNDS = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0), "grey": (128 / 255,) * 3, "blue": (0.0, 0.0, 1.0)}
SOLID = 0.5  # opacity on the teacher's silhouette, and of a speck
BOUNDARY = 4  # pixels on either side of the silhouette
SPECK_DISTANCE = 8  # pixels outside of the silhouette
SPECK_PIXELS = 4  # connected pixels
NEIGHBOURS = np.ones((3, 3))  # pixels that touch at a corner are connected


class Silhouettes:
    """Collects the measures of views, each the bundle's and the teacher's picture with premultiplied alpha."""

    def __init__(self) -> None:
        self.whole: list[dict[str, float]] = []
        self.boundary: list[dict[str, float]] = []
        self.alpha: list[float] = []

    def add(self, drawn: Array, reference: Array) -> None:
        """Measure one view; both pictures are (h, w, 4) float32 in [0, 1]."""
        near = distance_to_silhouette(reference) <= BOUNDARY
        on_backgrounds = {name: (over(drawn, color), over(reference, color)) for name, color in BACKGROUNDS.items()}
        self.whole.append({name: psnr(a, b) for name, (a, b) in on_backgrounds.items()})
        if near.any():
            self.boundary.append({name: psnr(a[near], b[near]) for name, (a, b) in on_backgrounds.items()})
        self.alpha.append(float(np.abs(drawn[..., 3] - reference[..., 3]).mean()))

    def summary(self) -> dict[str, Any]:
        """The means over the views.

        ``backgrounds``, ``boundary_psnr``: dB, by background and their ``mean``, of whole pictures and of the pixels
        within 4 of the teacher's silhouette (None if no view has one); ``alpha_error``: mean absolute difference.
        """
        return {
            "backgrounds": _means(self.whole),
            "boundary_psnr": _means(self.boundary),
            "alpha_error": float(np.mean(self.alpha)),
        }


def distance_to_silhouette(rgba: Array) -> Array:
    """Pixels (h, w) float64 to the nearest pixel on the other side of the silhouette; infinite without one."""
    solid = rgba[..., 3] > SOLID
    if solid.all() or not solid.any():
        return np.full(solid.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(solid) + ndimage.distance_transform_edt(~solid))


def specks(drawn: Array, reference: Array) -> int:
    """Number of opaque specks in a view: 4 or more connected pixels, 8 pixels outside of the teacher's silhouette."""
    solid = reference[..., 3] > SOLID
    outside = ndimage.distance_transform_edt(~solid) > SPECK_DISTANCE if solid.any() else np.ones(solid.shape, bool)
    labels, count = ndimage.label((drawn[..., 3] > SOLID) & outside, NEIGHBOURS)
    return int((np.bincount(labels.reshape(-1), minlength=count + 1)[1:] >= SPECK_PIXELS).sum())


def _means(views: list[dict[str, float]]) -> dict[str, float] | None:
    if not views:
        return None
    means = {name: float(np.mean([view[name] for view in views])) for name in BACKGROUNDS}
    return {**means, "mean": float(np.mean(list(means.values())))}
