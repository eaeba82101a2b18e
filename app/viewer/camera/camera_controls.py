"""The viewer's camera: orbit, fly or trackball; the camera that is shown follows its goal smoothly."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pyglm import glm

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node, parse_json
from duplex.app.scene.camera import Camera, horizontal_axes
from duplex.app.viewer.camera.pose import Pose, pose_of, rotated, rotation_of

MODES = ORBIT, FLY, TRACKBALL = "orbit", "fly", "trackball"
SIDES = ("front", "back", "left", "right", "top", "bottom")
SLOWEST, FASTEST = 0.02, 50.0  # factors of a flight
UPS = {f"{sign}{axis}": (1 if sign == "+" else -1) * np.eye(3)[i] for sign in "+-" for i, axis in enumerate("xyz")}
ROTATION_SPEED = 0.005  # radians a pixel
STEEPEST = math.radians(89)  # the largest pitch while the horizon is kept level
YIELDING = math.radians(15)  # how far an orbit comes beyond its limits
CLOSER = 0.9  # share of the distance that a notch of the wheel leaves
NEAREST, FARTHEST = 0.01, 100  # distances from what is looked at, in radii of the scene
FLY_STEP = 0.1  # of a notch in fly mode, at most, in radii of the scene
FAST, SLOW = 4.0, 0.2
FOLLOWING = 0.06  # time constant of the smoothing: after so many seconds, 1 / e of the way to the goal is left
ARRIVED = 1e-4  # of the scene's radius, and radians: nearer than that, the camera is at its goal


@dataclass(frozen=True)
class Flight:
    """A movement while keys are held: along the camera's right, the scene's up and the view direction, -1 to 1 each.

    ``speed``: a factor.
    """

    right: float
    up: float
    forward: float
    speed: float = 1.0


@dataclass
class CameraControls:
    """Turns input into a camera, in a scene of ``radius`` (world units, the unit of all speeds).

    ``up``: the upward axis, unit (3,); ``goal``: where the camera should be; ``shown``: where it is now, on its way to
    the goal. Turning moves the eye around the target in the modes orbit and trackball, and the target around the eye in
    fly mode. Only a trackball tilts the horizon. ``speed``: of flights, a factor.
    """

    up: Array
    radius: float
    goal: Pose
    shown: Pose = field(init=False)
    mode: str = ORBIT
    speed: float = 1.0

    def __post_init__(self) -> None:
        self.shown = self.goal

    @classmethod
    def around(cls, camera: Camera, center: Array, radius: float, up: Array) -> CameraControls:
        """Controls that begin at ``camera`` in a scene of ``radius`` around ``center``."""
        return cls(np.asarray(up, np.float64), radius, pose_of(camera, center, radius))

    def set(self, camera: Camera, center: Array) -> None:
        """Go to ``camera``; the target becomes the point on its view axis that is nearest to ``center``."""
        self.goal = pose_of(camera, center, self.radius)

    def arrive(self) -> None:
        """Be at the goal at once."""
        self.shown = self.goal

    def update(self, seconds: float) -> None:
        """Move what is shown towards the goal, for ``seconds``."""
        share = 1 - math.exp(-seconds / FOLLOWING)
        old, goal = self.shown, self.goal
        turn = goal.rotation if glm.dot(old.rotation, goal.rotation) >= 0 else -goal.rotation
        angle = 2 * math.acos(min(float(glm.dot(old.rotation, turn)), 1.0))
        away = max(glm.length(goal.target - old.target), glm.length(goal.eye - old.eye)) / self.radius
        if max(away, angle, abs(goal.fov - old.fov)) < ARRIVED:
            self.shown = goal
            return
        distance = old.distance * (goal.distance / old.distance) ** share
        rotation = glm.slerp(old.rotation, turn, share)
        fov = old.fov + share * (goal.fov - old.fov)
        found = Pose(glm.dvec3(glm.mix(old.target, goal.target, share)), distance, rotation, fov)
        if self.mode == FLY:  # the eye moves on a straight line
            eye = glm.mix(old.eye, goal.eye, share)
            found = replace(found, target=eye + distance * found.forward)
        self.shown = found

    @property
    def moving(self) -> bool:
        """Whether the camera is still on its way to the goal."""
        return self.shown is not self.goal

    @property
    def fov(self) -> float:
        """The goal's vertical field of view, radians."""
        return self.goal.fov

    @fov.setter
    def fov(self, value: float) -> None:
        self.goal = replace(self.goal, fov=value)

    @property
    def pose(self) -> tuple[float, ...]:
        """Where the camera is that is shown, and how it looks."""
        shown = self.shown
        return (*shown.target, shown.distance, *shown.rotation, shown.fov)

    def camera(self, width: int, height: int) -> Camera:
        """The camera that is shown, for a picture of ``width`` x ``height`` pixels."""
        pose = np.eye(4)
        pose[:3, :3] = np.array(glm.mat3_cast(self.shown.rotation))
        pose[:3, 3] = np.array(self.shown.eye)
        return Camera.from_fov(pose, width, height, self.shown.fov)

    def turn(self, dx: float, dy: float, limits: tuple[float, float] | None = None) -> None:
        """Turn by a mouse movement in pixels.

        ``limits``: the lowest and the highest elevation of the eye above the target, radians. An orbit comes a little
        beyond them, ever more slowly.
        """
        old = self.goal
        yaw, pitch = -ROTATION_SPEED * dx, -ROTATION_SPEED * dy
        if self.mode == TRACKBALL:
            spin = glm.angleAxis(yaw, glm.dvec3(0, 1, 0)) * glm.angleAxis(pitch, glm.dvec3(1, 0, 0))
            self.goal = replace(old, rotation=glm.normalize(old.rotation * spin))
            return
        up = glm.dvec3(*self.up)
        rotation = glm.angleAxis(yaw, up) * self._level(old)
        sine = float(glm.dot(rotated(rotation, 0, 0, -1), up))
        height = math.asin(min(max(sine, -1.0), 1.0))
        if limits and self.mode == ORBIT:
            pitch = -_resisting(-height, -pitch, limits)
        pitch = min(max(height + pitch, -STEEPEST), STEEPEST) - height
        rotation = glm.normalize(rotation * glm.angleAxis(pitch, glm.dvec3(1, 0, 0)))
        turned = replace(old, rotation=rotation)
        self.goal = replace(turned, target=old.eye + old.distance * turned.forward) if self.mode == FLY else turned

    def set_mode(self, mode: str) -> None:
        """Take ``mode``, one of :data:`MODES`; what leaves a trackball levels the horizon now, not at the next drag."""
        levels = self.mode == TRACKBALL and mode != TRACKBALL
        self.mode = mode
        if levels:
            self.turn(0, 0)

    def set_up(self, up: Array) -> None:
        """Take ``up`` as the upward axis, and level the horizon."""
        self.up = np.asarray(up, np.float64)
        self.turn(0, 0)

    def pan(self, dx: float, dy: float, height: int) -> None:
        """Move sideways so that the target follows a mouse movement in pixels of a window ``height`` pixels high."""
        scale = 2 * self.goal.distance * math.tan(self.goal.fov / 2) / max(height, 1)
        self._shift(rotated(self.goal.rotation, -scale * dx, scale * dy, 0))

    def dolly(self, notches: float, point: Array | None = None) -> None:
        """Move closer to ``point`` (3,), by default the target, by ``notches`` of the mouse wheel.

        What is pointed at stays in its place in the picture, and is never reached. In fly mode each notch makes at most
        a fixed step, and the target moves along.
        """
        old = self.goal
        goal = old.target if point is None else glm.dvec3(*point)
        away = max(float(glm.length(goal - old.eye)), 1e-9 * self.radius)
        nearest, farthest = NEAREST * self.radius, FARTHEST * self.radius
        wanted = min(max(away * CLOSER**notches, min(nearest, away)), max(farthest, away))
        if self.mode == FLY:
            step = FLY_STEP * self.radius * abs(notches)
            wanted = min(max(wanted, away - step), away + step)
            self._shift((1 - wanted / away) * (goal - old.eye))
        elif point is None or self.mode == TRACKBALL:
            self.goal = replace(old, distance=min(max(old.distance * CLOSER**notches, nearest), farthest))
        else:
            share = wanted / away
            distance = min(max(share * old.distance, nearest), farthest)
            self.goal = replace(old, target=goal + share * (old.target - goal), distance=distance)

    def retreat(self, times: float) -> None:
        """Be ``times`` as far away from the target."""
        self.goal = replace(self.goal, distance=times * self.goal.distance)

    def look_at(self, point: Array) -> None:
        """Turn around ``point`` (3,) from here on, which comes into the middle of the picture."""
        old = self.goal
        target = glm.dvec3(*point)
        away = float(glm.length(target - old.eye))
        self.goal = replace(old, target=target, distance=max(away, NEAREST * self.radius))

    def move(self, right: float, up: float, forward: float, seconds: float, speed: float = 1.0) -> None:
        """Move for ``seconds`` along the camera's right, the scene's up and the view direction (-1 to 1 each)."""
        step = self.radius * seconds * speed * self.speed
        side = rotated(self.goal.rotation, 1, 0, 0)
        self._shift(step * (right * side + up * glm.dvec3(*self.up) + forward * self.goal.forward))

    def look_from(self, side: str) -> None:
        """See the target from one of the :data:`SIDES`, as far away as now."""
        up = np.asarray(self.up, np.float64)
        back, left = horizontal_axes(up)
        away = [-back, back, left, -left, up, -up][SIDES.index(side)]
        above = back if side in ("top", "bottom") else up
        across = np.cross(above, away)
        rotation = rotation_of(np.array([across, np.cross(away, across), away]).T)
        self.goal = replace(self.goal, rotation=rotation)

    def frame(self, center: Array, aspect: float = 1.0) -> None:
        """See the whole scene around ``center`` from the present direction; ``aspect``: width over height."""
        narrower = 2 * math.atan(min(aspect, 1.0) * math.tan(self.goal.fov / 2))
        distance = self.radius / math.sin(narrower / 2)
        self.goal = replace(self.goal, target=glm.dvec3(*center), distance=distance)

    def to_text(self) -> str:
        """The camera as text, which :meth:`paste` and ``--camera`` read."""
        camera = self.camera(800, 800)
        return json.dumps(
            {
                "camera_to_world": [float(x) for x in camera.camera_to_world.reshape(-1)],
                "fov": math.degrees(camera.fov_y),
            }
        )

    def paste(self, text: str, center: Array) -> None:
        """Go to the camera in ``text``; raises :class:`DuplexError` where ``text`` holds none."""
        try:
            data = parse_json(text[: 1 << 16].encode())
        except ValueError:
            raise DuplexError("the clipboard holds no view: expected JSON with camera_to_world and fov") from None
        self.set(Camera.from_json(Node(data, "the clipboard")), center)

    def _shift(self, by: glm.dvec3) -> None:
        self.goal = replace(self.goal, target=self.goal.target + by)

    def _level(self, pose: Pose) -> Any:
        """The rotation of ``pose`` with a level horizon; a camera that looks straight up or down keeps its heading."""
        forward, up = pose.forward, glm.dvec3(*self.up)
        side = glm.dvec3(glm.cross(forward, up))
        if glm.length(side) < 1e-6:
            heading = rotated(pose.rotation, 1, 0, 0)
            side = glm.dvec3(heading - glm.dot(heading, up) * up)
        if glm.length(side) < 1e-6:
            side = glm.dvec3(*horizontal_axes(self.up)[0])
        side = glm.dvec3(glm.normalize(side))
        return rotation_of(np.array([side, glm.cross(side, forward), -forward]).T)


def _resisting(elevation: float, step: float, limits: tuple[float, float]) -> float:
    """The part of ``step``, radians, that an orbit at ``elevation`` makes: less and less beyond ``limits``."""
    limit = limits[1] if step > 0 else limits[0]
    sign = math.copysign(1.0, step)
    free = max(sign * (limit - elevation), 0.0)
    if abs(step) <= free:
        return step
    left = max(YIELDING - max(sign * (elevation - limit), 0.0), 0.0)
    return sign * (free + left * (1 - math.exp(-(abs(step) - free) / YIELDING)))
