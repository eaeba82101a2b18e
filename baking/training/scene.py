"""What a dataset says about its scene: where rays run, in which box, before which background."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import focus_point
from duplex.baking.datasets.photos import Dataset, Photo
from duplex.baking.fields.field import NDC_BOUNDS, SceneInfo
from duplex.baking.fields.spaces import Ndc
from duplex.baking.subject import BACKGROUNDS
from duplex.baking.training.photos import PhotoSet

BLENDER_BOX, BLENDER_DISTANCES, BLENDER_INTERVAL = 1.5, (2.5, 6.0), (2.0, 6.0)
NEAR_SHARE, FAR_SHARE = 0.1, 2.0  # of the cameras' least and largest distance from what they look at
QUANTILES = (0.02, 0.98)  # of the points in view, along each axis, between which the box lies
WHITE = 0.98
HOLD_OUT = 8
Corners = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Given:
    """What the user says about the scene; None where the dataset is asked. ``bounds``: (2, 3)."""

    near: float | None = None
    far: float | None = None
    background: tuple[float, float, float] | None = None
    bounds: Array | None = None


def split(dataset: Dataset) -> tuple[list[Photo], list[Photo]]:
    """The photos to train on, and those held out: the test or val split, else every 8th photo of eight or more."""
    photos = list(dataset.photos.get("train", ()))
    if not photos:
        raise DuplexError("the dataset has no photos to train on: expected a train split with pictures")
    held_out = list(dataset.photos.get("test", ()) or dataset.photos.get("val", ()))
    if held_out or len(photos) < HOLD_OUT:
        return photos, held_out
    return [p for i, p in enumerate(photos) if i % HOLD_OUT], photos[::HOLD_OUT]


def scene_of(dataset: Dataset, photos: list[Photo], pixels: PhotoSet, given: Given) -> SceneInfo:
    """The scene of the training ``photos``, whose ``pixels`` tell the background; raises :class:`DuplexError`.

    Forward-facing photos of LLFF are taken into NDC, unless the user gives near or far.
    """
    up = (float(dataset.up[0]), float(dataset.up[1]), float(dataset.up[2]))
    background = given.background or background_of(pixels)
    if dataset.kind == "llff" and dataset.forward_facing and given.near is None and given.far is None:
        bounds = NDC_BOUNDS if given.bounds is None else _corners(given.bounds)
        space = Ndc.of(photos[0].camera)
        scene = SceneInfo(0.0, 1.0, background, up=up, hemisphere=False, space=space, bounds=bounds)
        return replace(scene, principal_shift=0.0)
    centers = np.stack([p.camera.position for p in photos])
    near, far = interval_of(dataset, photos)
    near, far = near if given.near is None else given.near, far if given.far is None else given.far
    if not 0 <= near < far:
        raise DuplexError(f"--near {near:g} and --far {far:g}: expected 0 <= near < far")
    bounds = bounds_of(dataset, photos, near, far) if given.bounds is None else _corners(given.bounds)
    around = centers - np.mean(bounds, axis=0)
    hemisphere = bool((around @ np.array(up) > -0.1 * np.linalg.norm(around, axis=1)).all())
    return SceneInfo(near, far, background, up=up, hemisphere=hemisphere, bounds=bounds, principal_shift=0.0)


def background_of(pixels: PhotoSet) -> tuple[float, float, float]:
    """White where photos have alpha, or where their corners are white; else black."""
    if pixels.has_alpha:
        return BACKGROUNDS["white"]
    first, last, width = pixels.first[:-1], pixels.first[1:] - 1, pixels.widths
    corners = torch.cat([first, first + width - 1, last - width + 1, last])
    known = pixels.rgba[corners[torch.isin(corners, pixels.usable)], :3].float()
    return BACKGROUNDS["white" if len(known) and float(known.median()) >= 255 * WHITE else "black"]


def interval_of(dataset: Dataset, photos: list[Photo]) -> tuple[float, float]:
    """Depths between which the scene lies, as the dataset or else its cameras say."""
    if dataset.near is not None and dataset.far is not None:
        return dataset.near, dataset.far
    if _is_blender(dataset, photos):
        return BLENDER_INTERVAL
    poses = np.stack([p.camera.camera_to_world for p in photos])
    distances = np.linalg.norm(poses[:, :3, 3] - focus_point(poses), axis=1)
    least, largest = float(distances.min()), float(distances.max())
    return NEAR_SHARE * least, max(FAR_SHARE * largest, 1e-3)


def bounds_of(dataset: Dataset, photos: list[Photo], near: float, far: float) -> Corners:
    """The box of a Blender scene, or the one around most of what is in view between ``near`` and ``far``."""
    if dataset.near is None and _is_blender(dataset, photos):
        return _corners(BLENDER_BOX * np.array([[-1.0] * 3, [1.0] * 3]))
    points = []
    for photo in photos:
        camera = photo.camera_at(5)
        for depth in np.linspace(near, far, 9)[1:]:
            points.append(camera.position + depth * camera.ray_directions().reshape(-1, 3))
    low, high = np.quantile(np.concatenate(points), QUANTILES, axis=0)
    return _corners(np.stack([low, np.maximum(high, low + 1e-3)]))


def _is_blender(dataset: Dataset, photos: list[Photo]) -> bool:
    """Whether the cameras stand about an object of the size of NeRF-synthetic's."""
    distances = np.array([math.dist(p.camera.position, (0, 0, 0)) for p in photos])
    low, high = BLENDER_DISTANCES
    return dataset.kind == "blender" and bool(((distances > low) & (distances < high)).all())


def _corners(bounds: Array) -> Corners:
    low, high = ((float(c[0]), float(c[1]), float(c[2])) for c in bounds)
    return low, high
