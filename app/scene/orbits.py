"""Where to look at a scene from: closed paths of cameras around it, before it, or inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera, horizontal_axes, look_at
from duplex.app.scene.checked_values import finite_numbers


@dataclass(frozen=True)
class Orbit:
    """A circle of cameras that look at its ``center`` from ``distance``, ``elevation`` radians above the equator.

    ``up``: unit (3,); ``fov``: of a picture's shorter side, radians.
    """

    center: Array
    distance: float
    up: Array
    fov: float
    elevation: float = 0.45

    def camera(self, turn: float, width: int, height: int) -> Camera:
        """The camera after ``turn`` turns (1 is a whole circle)."""
        first, second = horizontal_axes(self.up)
        angle = 2 * math.pi * (turn + 0.625)  # the first is a three-quarter view of a Blender scene
        flat = math.cos(angle) * first + math.sin(angle) * second
        outward = math.cos(self.elevation) * flat + math.sin(self.elevation) * np.asarray(self.up)
        pose = look_at(self.center + outward * self.distance, self.center, self.up)
        taller = max(height / width, 1.0)
        return Camera.from_fov(pose, width, height, 2 * math.atan(taller * math.tan(self.fov / 2)))

    def cameras(self, count: int, width: int, height: int) -> list[Camera]:
        """``count`` cameras, evenly around the circle."""
        return [self.camera(i / count, width, height) for i in range(count)]


@dataclass(frozen=True)
class Sway:
    """A small ellipse of cameras before a forward-facing scene, all looking at ``target``.

    ``eye``: its middle; ``spread``: its half width, world units; ``up``: unit (3,); ``fov``: vertical, radians.
    """

    eye: Array
    target: Array
    spread: float
    up: Array
    fov: float

    def camera(self, turn: float, width: int, height: int) -> Camera:
        """The camera after ``turn`` turns (1 is a whole one); the first one is at the right."""
        axes = look_at(self.eye, self.target, self.up)
        angle = 2 * math.pi * turn
        step = math.cos(angle) * axes[:3, 0] + 0.5 * math.sin(angle) * axes[:3, 1]
        return Camera.from_fov(look_at(self.eye + self.spread * step, self.target, self.up), width, height, self.fov)

    def cameras(self, count: int, width: int, height: int) -> list[Camera]:
        """``count`` cameras, evenly around the ellipse."""
        return [self.camera(i / count, width, height) for i in range(count)]


def way_from_rig(rig: dict[str, Any]) -> Orbit | Sway | None:
    """Where to look at a scene from that surrounds its cameras, as a bundle's ``rig`` has it.

    None for an object, which can be looked at from wherever it fits the picture. Raises :class:`DuplexError`.
    """
    if not rig.get("surrounded"):
        return None
    center = finite_numbers(rig.get("center"), 3, "cameras.json: rig: center")
    up = finite_numbers(rig.get("up"), 3, "cameras.json: rig: up")
    radius, fov = finite_numbers([rig.get("radius"), rig.get("fov")], 2, "cameras.json: rig: radius and fov")
    if radius <= 0 or not 0 < fov < 3 or abs(np.linalg.norm(up) - 1) > 1e-3:
        raise DuplexError("cameras.json: rig: impossible numbers: a damaged bundle; bake again")
    if not rig.get("forward"):
        return Orbit(center, float(radius), up, float(fov))
    eye = finite_numbers(rig.get("eye"), 3, "cameras.json: rig: eye")
    if not np.linalg.norm(eye - center) > 1e-9:
        raise DuplexError("cameras.json: rig: the eye is at the center: a damaged bundle; bake again")
    spread = finite_numbers([rig.get("spread")], 1, "cameras.json: rig: spread")
    return Sway(eye, center, float(spread[0]), up, float(fov))


def scene_orbit(bundle: Bundle) -> Orbit | Sway:
    """A circle around the bundle's scene; before it, or among it, where it surrounds its cameras."""
    way = way_from_rig(bundle.rig)
    if way is not None:
        return way
    center, radius = scene_pivot(bundle)
    fov = bundle.cameras[0].fov_y if bundle.cameras else 0.7
    return Orbit(center, radius / np.sin(fov / 2) * 0.95, np.array(bundle.up), fov)


def scene_pivot(bundle: Bundle) -> tuple[Array, float]:
    """The point (3,) that a camera turns around, and the length, world units, that its movements are measured by."""
    way = way_from_rig(bundle.rig)
    if isinstance(way, Sway):
        return way.target, float(np.linalg.norm(way.target - way.eye))
    if isinstance(way, Orbit):
        return way.center, way.distance
    low, high = bundle.bounds
    return 0.5 * (low + high), float(np.linalg.norm(high - low)) / 2
