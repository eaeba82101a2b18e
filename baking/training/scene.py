"""The scene of a dataset: the depth range of rays, the box of the field, and the background."""

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
from duplex.baking.fields.spaces import Contracted, Ndc
from duplex.baking.subject import BACKGROUNDS
from duplex.baking.training.photos import PhotoSet

BLENDER_BOX = 1.5  # half side of the box, world units
BLENDER_DISTANCES = (2.5, 6.0)  # range of camera distances from the origin by which such a scene is recognised
BLENDER_INTERVAL = (2.0, 6.0)  # near and far
NEAR_SHARE = 0.1  # near over the smallest distance of a camera from the focus point
FAR_SHARE = 2.0  # far over the largest distance of a camera from the focus point
QUANTILES = (0.02, 0.98)  # of the points in view along each axis: the sides of the box
WHITE = 0.98  # median of the corners from which a background counts as white
RADIUS_SHARE = 0.7  # of the cameras' distance from what they look at: the ball that is not contracted
NEAREST, FARTHEST = 0.3, 50.0  # of its radius, or of the nearest camera's distance if that is smaller; of its radius
HOLD_OUT = 8  # every 8th photo is held out
Corners = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Given:
    """The user's values for the scene; None takes the dataset's.

    ``near``, ``far``: depths, world units; ``background``: RGB in [0, 1]; ``bounds``: low and high corner, (2, 3);
    ``space``: ``world``, ``ndc`` or ``contracted``.
    """

    near: float | None = None
    far: float | None = None
    background: tuple[float, float, float] | None = None
    bounds: Array | None = None
    space: str | None = None


def split(dataset: Dataset) -> tuple[list[Photo], list[Photo]]:
    """The training photos and the held-out ones: the test or val split, else every 8th photo if there are eight."""
    photos = list(dataset.photos.get("train", ()))
    if not photos:
        raise DuplexError("the dataset has no photos to train on: expected a train split with pictures")
    held_out = list(dataset.photos.get("test", ()) or dataset.photos.get("val", ()))
    if held_out or len(photos) < HOLD_OUT:
        return photos, held_out
    return [p for i, p in enumerate(photos) if i % HOLD_OUT], photos[::HOLD_OUT]


def space_for(dataset: Dataset, photos: list[Photo], few: PhotoSet, given: Given) -> str:
    """The space of a scene that the user leaves open, of training ``photos``, with ``few`` of their pictures.

    That is NDC where LLFF's cameras all look in one direction; a contracted space, where a scene has surroundings; and
    the world for objects: on transparent or white background, of Blender, or in the box that the user gives.
    """
    if given.space:
        return given.space
    if dataset.kind == "llff" and dataset.forward_facing and given.near is None and given.far is None:
        return "ndc"
    is_object = few.has_alpha or background_of(few) == BACKGROUNDS["white"] or _is_blender(dataset, photos)
    return "world" if is_object or given.bounds is not None else "contracted"


def scene_of(dataset: Dataset, photos: list[Photo], pixels: PhotoSet, given: Given) -> SceneInfo:
    """The scene of the training ``photos``, with the background found in their ``pixels``; raises DuplexError.

    ``given.space``: as :func:`space_for` chooses it; None is the world.
    """
    up = (float(dataset.up[0]), float(dataset.up[1]), float(dataset.up[2]))
    background = given.background or background_of(pixels)
    if given.space == "ndc":
        bounds = NDC_BOUNDS if given.bounds is None else _corners(given.bounds)
        space = Ndc.of(photos[0].camera)
        scene = SceneInfo(0.0, 1.0, background, up=up, hemisphere=False, space=space, bounds=bounds)
        return replace(scene, principal_shift=0.0)
    if given.space == "contracted":
        return _unbounded(dataset, photos, background, given)
    centers = np.stack([p.camera.position for p in photos])
    near, far = interval_of(dataset, photos)
    near = near if given.near is None else given.near
    far = far if given.far is None else given.far
    if not 0 <= near < far:
        raise DuplexError(f"--near {near:g} and --far {far:g}: expected 0 <= near < far")
    bounds = bounds_of(dataset, photos, near, far) if given.bounds is None else _corners(given.bounds)
    around = centers - np.mean(bounds, axis=0)
    hemisphere = bool((around @ np.array(up) > -0.1 * np.linalg.norm(around, axis=1)).all())
    return SceneInfo(near, far, background, up=up, hemisphere=hemisphere, bounds=bounds, principal_shift=0.0)


def _unbounded(
    dataset: Dataset, photos: list[Photo], background: tuple[float, float, float], given: Given
) -> SceneInfo:
    """The scene of photos with surroundings, in a contracted space around what the cameras look at."""
    poses = np.stack([p.camera.camera_to_world for p in photos])
    center = focus_point(poses)
    distances = np.linalg.norm(poses[:, :3, 3] - center, axis=1)
    radius = max(RADIUS_SHARE * float(np.median(distances)), 1e-3)
    if dataset.near is not None and dataset.forward_facing:
        radius = max(radius, float(dataset.near))
    near = NEAREST * min(radius, float(distances.min())) if given.near is None else given.near
    far = FARTHEST * radius if given.far is None else given.far
    if not 0 <= near < far:
        raise DuplexError(f"--near {near:g} and --far {far:g}: expected 0 <= near < far")
    x, y, z = (float(value) for value in center)
    space = Contracted(center=(x, y, z), radius=radius)
    up = (float(dataset.up[0]), float(dataset.up[1]), float(dataset.up[2]))
    scene = SceneInfo(near, far, background, up=up, hemisphere=False, space=space, bounds=((-2.0,) * 3, (2.0,) * 3))
    return replace(scene, principal_shift=0.0)


def background_of(pixels: PhotoSet) -> tuple[float, float, float]:
    """White if the photos have alpha or white corners; otherwise black."""
    if pixels.has_alpha:
        return BACKGROUNDS["white"]
    first = pixels.first[:-1]
    last = pixels.first[1:] - 1
    width = pixels.widths
    corners = torch.cat([first, first + width - 1, last - width + 1, last])
    known = pixels.rgba[corners[torch.isin(corners, pixels.usable)], :3].float()
    return BACKGROUNDS["white" if len(known) and float(known.median()) >= 255 * WHITE else "black"]


def interval_of(dataset: Dataset, photos: list[Photo]) -> tuple[float, float]:
    """Near and far depth of the scene, from the dataset, or else estimated from its cameras."""
    if dataset.near is not None and dataset.far is not None:
        return dataset.near, dataset.far
    if _is_blender(dataset, photos):
        return BLENDER_INTERVAL
    poses = np.stack([p.camera.camera_to_world for p in photos])
    distances = np.linalg.norm(poses[:, :3, 3] - focus_point(poses), axis=1)
    smallest = float(distances.min())
    largest = float(distances.max())
    return NEAR_SHARE * smallest, max(FAR_SHARE * largest, 1e-3)


def bounds_of(dataset: Dataset, photos: list[Photo], near: float, far: float) -> Corners:
    """The box of a Blender scene, or a box around most points in view between ``near`` and ``far``."""
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
    """Whether the cameras surround an object of the size of the NeRF-synthetic scenes."""
    distances = np.array([math.dist(p.camera.position, (0, 0, 0)) for p in photos])
    low, high = BLENDER_DISTANCES
    return dataset.kind == "blender" and bool(((distances > low) & (distances < high)).all())


def _corners(bounds: Array) -> Corners:
    low, high = ((float(c[0]), float(c[1]), float(c[2])) for c in bounds)
    return low, high
