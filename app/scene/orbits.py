"""Closed camera paths for a turntable: around an object, in front of a forward-facing scene, inside a room."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER, Node
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera, horizontal_axes, look_at

FIRST_VIEW = 0.625  # fraction of the circle: a three-quarter view of Blender scenes


@dataclass(frozen=True)
class Orbit:
    """A horizontal circle of cameras that look at ``center``.

    ``center``: (3,), world; ``distance``: from the cameras to the center, world units; ``up``: (3,) unit vector;
    ``fov``: field of view along the shorter side of the image, radians; ``elevation``: angle of the cameras above the
    horizontal plane through the center, radians.
    """

    center: Array
    distance: float
    up: Array
    fov: float
    elevation: float = 0.45

    def camera(self, fraction: float, width: int, height: int) -> Camera:
        """The camera after ``fraction`` of the circle (1: full circle), for an image of this size in pixels."""
        first, second = horizontal_axes(self.up)
        angle = 2 * math.pi * (fraction + FIRST_VIEW)
        horizontal = math.cos(angle) * first + math.sin(angle) * second
        outward = math.cos(self.elevation) * horizontal + math.sin(self.elevation) * np.asarray(self.up)
        pose = look_at(self.center + outward * self.distance, self.center, self.up)
        portrait = max(height / width, 1.0)
        return Camera.from_fov(pose, width, height, 2 * math.atan(portrait * math.tan(self.fov / 2)))

    def cameras(self, count: int, width: int, height: int) -> list[Camera]:
        """``count`` cameras at equal angles around the circle."""
        return [self.camera(i / count, width, height) for i in range(count)]


@dataclass(frozen=True)
class ForwardPath:
    """A small ellipse of cameras in front of a forward-facing scene.

    ``eye``: (3,), center of the ellipse, world; ``target``: (3,), the point that all cameras look at, world;
    ``spread``: horizontal semi-axis, world units, twice the vertical one; ``up``: (3,) unit vector; ``fov``: vertical
    field of view, radians.
    """

    eye: Array
    target: Array
    spread: float
    up: Array
    fov: float

    def camera(self, fraction: float, width: int, height: int) -> Camera:
        """The camera after ``fraction`` of the ellipse (1: full ellipse); fraction 0 is its right end."""
        axes = look_at(self.eye, self.target, self.up)
        angle = 2 * math.pi * fraction
        step = math.cos(angle) * axes[:3, 0] + 0.5 * math.sin(angle) * axes[:3, 1]
        return Camera.from_fov(look_at(self.eye + self.spread * step, self.target, self.up), width, height, self.fov)

    def cameras(self, count: int, width: int, height: int) -> list[Camera]:
        """``count`` cameras at equal angles around the ellipse."""
        return [self.camera(i / count, width, height) for i in range(count)]


def path_from_rig(rig: dict[str, Any]) -> Orbit | ForwardPath | None:
    """The camera path for a scene that surrounds its cameras, from the ``rig`` object of a bundle.

    None for an object seen from outside, whose path follows from its bounding box. Raises :class:`DuplexError` for
    invalid values.
    """
    data = Node(rig, "cameras.json: rig", "a damaged bundle; bake again")
    if not data.flag("surrounded", False):
        return None
    center, up = data.numbers("center", 3), data.numbers("up", 3)
    radius, fov = data.number("radius", 0, MAX_NUMBER), data.number("fov", 0, 3)
    if not (radius > 0 and 1e-6 < fov < 3) or abs(np.linalg.norm(up) - 1) > 1e-3:
        raise DuplexError("cameras.json: rig: impossible numbers: a damaged bundle; bake again")
    if not data.flag("forward", False):
        return Orbit(center, radius, up, fov)
    eye = data.numbers("eye", 3)
    if not np.linalg.norm(eye - center) > 1e-9:
        raise DuplexError("cameras.json: rig: the eye is at the center: a damaged bundle; bake again")
    return ForwardPath(eye, center, data.number("spread", -MAX_NUMBER, MAX_NUMBER), up, fov)


def trained_elevations(rig: dict[str, Any]) -> tuple[float, float] | None:
    """The elevations of the lowest and the highest camera of the bake, radians above the horizon.

    None where ``rig``, the object of a bundle, states none. Raises :class:`DuplexError` for invalid values.
    """
    data = Node(rig, "cameras.json: rig", "a damaged bundle; bake again")
    if "elevations" not in data:
        return None
    low, high = data.numbers("elevations", 2, limit=math.pi / 2 + 1e-6).tolist()
    if low > high:
        raise data.wrong("elevations", "the lower one first")
    return low, high


def scene_orbit(bundle: Bundle) -> Orbit | ForwardPath:
    """The turntable path of the bundle's scene: around an object, in front of a scene, or inside it."""
    path = path_from_rig(bundle.rig)
    if path is not None:
        return path
    pivot = scene_pivot(bundle)
    fov = bundle.cameras[0].fov_y if bundle.cameras else 0.7
    return Orbit(pivot.point, pivot.length / np.sin(fov / 2) * 0.95, np.array(bundle.up), fov)


@dataclass(frozen=True)
class Pivot:
    """What the viewer's camera moves around.

    ``point``: (3,), world, the point that the camera orbits; ``length``: world units, scales the camera's movements.
    """

    point: Array
    length: float


def scene_pivot(bundle: Bundle) -> Pivot:
    """The pivot of the bundle's scene: the target of its camera path, or the center of its bounding box."""
    path = path_from_rig(bundle.rig)
    if isinstance(path, ForwardPath):
        return Pivot(path.target, float(np.linalg.norm(path.target - path.eye)))
    if isinstance(path, Orbit):
        return Pivot(path.center, path.distance)
    low, high = bundle.bounds
    return Pivot(0.5 * (low + high), float(np.linalg.norm(high - low)) / 2)
