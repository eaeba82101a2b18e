"""What photos with alpha say about density: matter on transparent pixels of several photos is not the object's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.photos import Photo
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.geometry.probes import in_picture

PHOTOS = 32  # at most
SIZE = 200  # height in pixels to which photos are box-filtered
TRANSPARENT = 0.5 / 255
MARGIN = 1  # pixels around the object that count as its own
VOTES = 0.1  # share of the photos that show a sample from which on, if it is on transparent pixels, it is cleared
LEAST_VOTES = 2  # photos; with a single photo, that one decides
BLOCK = 4  # grid samples a side


@dataclass(frozen=True)
class AlphaPhoto:
    """``empty``: (h, w) bool, pixels farther than :data:`MARGIN` from all that is not known to be transparent."""

    camera: Camera
    empty: Array


def alphas_of(photos: Sequence[Photo]) -> list[AlphaPhoto]:
    """The transparency of at most :data:`PHOTOS` evenly chosen photos; empty where none has a transparent pixel."""
    chosen = np.unique(np.linspace(0, len(photos) - 1, min(PHOTOS, len(photos))).round().astype(int))
    found = []
    for photo in (photos[i] for i in chosen):
        size = min(SIZE, photo.camera.height)
        rgba, valid = photo.rgba_or_unknown(size)
        solid = ~valid | (rgba[..., 3] > TRANSPARENT)
        empty = ~ndimage.binary_dilation(solid, np.ones((3, 3)), MARGIN)
        found.append(AlphaPhoto(photo.camera_at(size), np.asarray(empty)))
        if len(found) == 1 and not (~solid).any():
            return []  # opaque photos: not one more is read
    return found


def without_transparent(grid: DensityGrid, alphas: list[AlphaPhoto]) -> DensityGrid:
    """``grid`` without the samples that enough photos show on transparent pixels; ``grid`` itself without any."""
    cells = np.argwhere(grid.visible())
    home = np.unique(cells // BLOCK, axis=0)
    reach = 0.5 * BLOCK * np.sqrt(3) * grid.step
    near = _voted(grid.low + grid.step * (BLOCK * home + 0.5 * (BLOCK - 1)), alphas, reach)
    chosen = np.zeros(home.max(0) + 1, bool) if len(home) else np.zeros((1, 1, 1), bool)
    chosen[tuple(home[near].T)] = True
    cells = cells[chosen[tuple((cells // BLOCK).T)]]
    cells = cells[_voted(grid.low + grid.step * cells, alphas, 0.0)]
    return grid.cleared_at(cells) if len(cells) else grid


def _voted(points: Array, alphas: list[AlphaPhoto], reach: float) -> Array:
    """Which ``points`` (n, 3) enough photos show on empty pixels, or within ``reach`` (world units) of some: (n,)."""
    shown, empty = (np.zeros(len(points), np.int32) for _ in range(2))
    for alpha in alphas:
        (row, column), distance, inside = in_picture(alpha.camera, points)
        mask = alpha.empty
        if reach > 0 and inside.any():
            pixels = int(np.ceil(reach * alpha.camera.fx / max(float(distance[inside].min()), 1e-6)))
            mask = ndimage.maximum_filter(mask, 2 * min(pixels, SIZE) + 1)
        shown += inside
        empty += inside & mask[row, column]
    return np.asarray((empty >= min(LEAST_VOTES, len(alphas))) & (empty >= VOTES * shown) & (empty > 0))
