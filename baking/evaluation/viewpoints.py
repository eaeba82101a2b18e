"""From where a bundle is judged: held-out views, rings of distance, and views from where no training camera stood."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.provenance import rig_of, seed_of
from duplex.baking.rig import Rig
from duplex.baking.view_sets import EVALUATION_STREAM

RINGS = (0.4, 1.0, 2.5)  # times the cameras' own distance to the center
UNSEEN_ANGLE = math.radians(30)  # from the nearest direction in which a training camera stood
CANDIDATES = 512  # directions, evenly spread over the sphere


def unseen_cameras(bundle: Bundle, count: int, size: int) -> list[Camera]:
    """Held-out cameras from the bundle's rig; no stage of the bake uses their random stream."""
    return rig_of(bundle).cameras(count, size, np.random.default_rng([seed_of(bundle), EVALUATION_STREAM]))


def ring(bundle: Bundle, cameras: list[Camera], times: float) -> list[Camera]:
    """``cameras``, each moved to ``times`` its distance to the rig's center; none where the scene surrounds them."""
    rig = rig_of(bundle)
    if rig.surrounded:
        return []
    return [_moved(camera, rig.center + times * (camera.position - rig.center)) for camera in cameras]


def elsewhere(bundle: Bundle, count: int, size: int) -> list[Camera]:
    """Cameras at the rig's distance, 30 degrees and more from all training cameras; none if those stood everywhere.

    There are none in a scene that surrounds its cameras either.
    """
    rig = rig_of(bundle)
    if rig.surrounded:
        return []
    towards = _directions(CANDIDATES)
    far = towards[_angles_to_training(rig, towards) >= UNSEEN_ANGLE]
    chosen = far[np.linspace(0, len(far) - 1, min(count, len(far))).round().astype(int)] if len(far) else far
    return [
        Camera.from_fov(look_at(rig.center + rig.radius * d, rig.center, rig.up), size, size, rig.fov) for d in chosen
    ]


def turn(bundle: Bundle, frames: int, size: int) -> list[Camera]:
    """``frames`` square cameras, evenly spread over the closed path of the bundle's preset cameras."""
    return rig_of(bundle).path().cameras(frames, size, size)


def along_photos(bundle: Bundle, frames: int, size: int) -> list[Camera]:
    """``frames`` cameras on the way from photo to photo, of ``size`` pixels along the longer side.

    None where the bundle has no cameras of a dataset, or where these stand around an object.
    """
    rig = rig_of(bundle)
    if not (rig.surrounded and bundle.rig.get("dataset_cameras")) or rig.poses is None:
        return []
    photos = bundle.cameras[-len(rig.poses) :]
    cameras = []
    for place in np.linspace(0, len(photos) - 1, frames):
        first, second = photos[math.floor(place)], photos[math.ceil(place)]
        share = place % 1
        position = (1 - share) * first.position + share * second.position
        axes = (1 - share) * first.camera_to_world[:3, :3] + share * second.camera_to_world[:3, :3]
        pose = look_at(position, position - axes[:, 2], axes[:, 1])
        shrunk = size / max(first.width, first.height)
        between = first.resized(max(round(shrunk * first.width), 1), max(round(shrunk * first.height), 1))
        cameras.append(replace(between, camera_to_world=pose))
    return cameras


def _moved(camera: Camera, position: Array) -> Camera:
    pose = camera.camera_to_world.copy()
    pose[:3, 3] = position
    return replace(camera, camera_to_world=pose)


def _directions(count: int) -> Array:
    """Unit vectors (count, 3) on a Fibonacci lattice of the sphere."""
    i = np.arange(count) + 0.5
    z = 1 - 2 * i / count
    angle = np.pi * (3 - np.sqrt(5)) * i
    flat = np.sqrt(1 - z * z)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], 1)


def _angles_to_training(rig: Rig, directions: Array) -> Array:
    """Angle in radians (n,) from each direction (n, 3) to the nearest in which a training camera stood."""
    if rig.poses is not None:
        outward = rig.poses[:, :3, 3] - rig.center
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
        return np.asarray(np.arccos((directions @ outward.T).max(1).clip(-1, 1)))
    if rig.hemisphere:
        return np.asarray(np.maximum(-np.arcsin((directions @ rig.up).clip(-1, 1)), 0))
    return np.zeros(len(directions))
