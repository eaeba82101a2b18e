"""The viewer's camera: orbiting around a point, or flying."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pyglm import glm

from duplex.app.camera import Array, Camera, horizontal_axes

ORBIT, FLY = "orbit", "fly"
ROTATION_SPEED = 0.005  # radians a pixel
MAX_PITCH = math.radians(89)
FAST = 4.0


@dataclass
class CameraControls:
    """A camera that looks along ``yaw`` and ``pitch`` (radians) at ``target`` from ``distance``.

    In orbit mode turning moves the eye around the target, in fly mode it moves the target around the eye.
    ``up``: unit (3,) of the scene; ``radius``: of the scene, the unit of all speeds; ``fov``: vertical, radians.
    """

    up: Array
    radius: float
    fov: float
    target: glm.dvec3
    distance: float
    yaw: float = 0.0
    pitch: float = 0.0
    mode: str = ORBIT

    @classmethod
    def around(cls, camera: Camera, center: Array, radius: float, up: Array) -> CameraControls:
        """Controls that begin at ``camera`` in a scene of ``radius`` around ``center``."""
        controls = cls(np.asarray(up, np.float64), radius, camera.fov_y, glm.dvec3(*center), radius)
        controls.set(camera, center)
        return controls

    def set(self, camera: Camera, center: Array) -> None:
        """Jump to ``camera``; orbits then turn around the point before it that is nearest to ``center``."""
        forward = -camera.camera_to_world[:3, 2]
        along = float(np.dot(np.asarray(center) - camera.position, forward))
        self.distance = along if along > 0.05 * self.radius else self.radius
        first, second = horizontal_axes(self.up)
        self.yaw = math.atan2(float(forward @ second), float(forward @ first))
        self.pitch = math.asin(float(np.clip(forward @ self.up, -1, 1)))
        self.pitch = min(max(self.pitch, -MAX_PITCH), MAX_PITCH)
        self.fov = camera.fov_y
        self.target = glm.dvec3(*(camera.position + self.distance * np.array(self.forward)))

    @property
    def forward(self) -> glm.dvec3:
        """Where the camera looks, unit."""
        first, second = (glm.dvec3(*axis) for axis in horizontal_axes(self.up))
        flat = math.cos(self.yaw) * first + math.sin(self.yaw) * second
        return math.cos(self.pitch) * flat + math.sin(self.pitch) * glm.dvec3(*self.up)

    @property
    def eye(self) -> glm.dvec3:
        """Where the camera stands."""
        return self.target - self.distance * self.forward

    def camera(self, width: int, height: int) -> Camera:
        """The camera for a picture of this size."""
        view = glm.lookAt(self.eye, self.target, glm.dvec3(*self.up))
        return Camera.from_fov(np.array(glm.inverse(view)), width, height, self.fov)

    def turn(self, dx: float, dy: float) -> None:
        """Turn by a mouse movement in pixels."""
        eye = self.eye
        self.yaw -= ROTATION_SPEED * dx
        self.pitch = min(max(self.pitch - ROTATION_SPEED * dy, -MAX_PITCH), MAX_PITCH)
        if self.mode == FLY:
            self.target = eye + self.distance * self.forward

    def pan(self, dx: float, dy: float, height: int) -> None:
        """Move sideways so that the target follows a mouse movement in pixels of a window ``height`` pixels high."""
        scale = 2 * self.distance * math.tan(self.fov / 2) / max(height, 1)
        right = glm.normalize(glm.cross(self.forward, glm.dvec3(*self.up)))
        above = glm.cross(right, self.forward)
        self.target += scale * (dy * above - dx * right)

    def dolly(self, notches: float) -> None:
        """Come closer by turns of the mouse wheel (orbit), or fly forward (fly)."""
        if self.mode == FLY:
            self.target += 0.1 * self.radius * notches * self.forward
        else:
            self.distance = min(max(self.distance * 0.9**notches, 0.01 * self.radius), 100 * self.radius)

    def move(self, right: float, up: float, forward: float, seconds: float, fast: bool) -> None:
        """Walk for ``seconds`` along the camera's right, the scene's up and the gaze (-1 to 1 each)."""
        step = self.radius * seconds * (FAST if fast else 1.0)
        sideways = glm.normalize(glm.cross(self.forward, glm.dvec3(*self.up)))
        self.target += step * (right * sideways + up * glm.dvec3(*self.up) + forward * self.forward)

    def frame(self, center: Array) -> None:
        """Look at the whole scene around ``center`` from the present direction."""
        self.target = glm.dvec3(*center)
        self.distance = self.radius / math.sin(self.fov / 2)
