"""Paths for the camera: keyframes, and the smooth way through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from pyglm import glm

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera

MAX_FRAMES = 200_000
FOV_RANGE = (1.0, 170.0)  # degrees


@dataclass(frozen=True)
class Keyframe:
    """A view that a path passes: ``camera_to_world`` (4, 4), ``fov`` vertical in radians.

    ``seconds``: from the keyframe before to this one (to the first one: from the last, in a loop); None: the path's.
    """

    camera_to_world: Array
    fov: float
    seconds: float | None = None


@dataclass(frozen=True)
class CameraPath:
    """A smooth way through ``keyframes``, in the bundle's world.

    ``loop``: from the last one back to the first. ``transition``: seconds between neighbours that do not say.
    ``tension``: 0 for a round way to 1 for one that stops at each keyframe. ``ease``: start and end slowly, unless it
    is a loop. ``fps``: frames a second; ``width``, ``height``: of a frame in pixels.
    """

    keyframes: tuple[Keyframe, ...] = ()
    loop: bool = False
    transition: float = 2.0
    tension: float = 0.0
    ease: bool = False
    fps: float = 30.0
    width: int = 1280
    height: int = 720

    @cached_property
    def seconds(self) -> Array:
        """When each keyframe is passed, from 0 on, and in a loop the end as well; (n,) or (n + 1,)."""
        steps = [self.transition if key.seconds is None else key.seconds for key in self.keyframes]
        return np.cumsum([0.0, *steps[1:], *(steps[:1] if self.loop else [])])

    @property
    def duration(self) -> float:
        """From the first keyframe to the last, or in a loop to the first again; seconds."""
        return float(self.seconds[-1]) if len(self.keyframes) > 1 else 0.0

    @property
    def frames(self) -> int:
        """Frames of the whole path, as nerfstudio counts them."""
        return max(round(self.duration * self.fps), 1)

    def at(self, second: float) -> tuple[Array, float]:
        """Pose (4, 4) and vertical field of view, radians, at ``second``; raises ValueError without keyframes.

        Cubic Hermite curves through positions, quaternions and fields of view; the tangents are those of Catmull and
        Rom for uneven times, scaled by ``1 - tension`` (Kochanek and Bartels, SIGGRAPH 1984).
        """
        if not self.keyframes:
            raise ValueError("a path without keyframes leads nowhere")
        if len(self.keyframes) == 1:
            return self.keyframes[0].camera_to_world, self.keyframes[0].fov
        times, values = self._knots
        duration = self.duration
        second = second % duration if self.loop else min(max(second, 0.0), duration)
        if self.ease and not self.loop:
            share = second / duration
            second = duration * share * share * (3 - 2 * share)
        found = _hermite(times, values, second, self.tension)
        pose = np.eye(4)
        rotation = glm.normalize(glm.dquat(*found[3:7]))
        pose[:3, :3] = np.array(glm.mat3_cast(rotation))
        pose[:3, 3] = found[:3]
        return pose, float(np.clip(found[7], *np.radians(FOV_RANGE)))

    def camera(self, second: float, width: int | None = None, height: int | None = None) -> Camera:
        """The camera at ``second``, of the path's own size unless another one is given."""
        pose, fov = self.at(second)
        return Camera.from_fov(pose, width or self.width, height or self.height, fov)

    def cameras(self) -> Iterator[Camera]:
        """The cameras of all frames; a loop ends one frame before it would begin again."""
        steps = self.frames if self.loop else max(self.frames - 1, 1)
        return (self.camera(self.duration * i / steps) for i in range(self.frames))

    def moved(self, similarity: Array) -> CameraPath:
        """The same path after its world has been turned, scaled and shifted by ``similarity`` (4, 4)."""

        def pose(key: Keyframe) -> Array:
            return Camera.from_fov(key.camera_to_world, 1, 1, key.fov).moved(similarity).camera_to_world

        return replace(self, keyframes=tuple(replace(key, camera_to_world=pose(key)) for key in self.keyframes))

    @cached_property
    def _knots(self) -> tuple[Array, Array]:
        """Times (k,) and values (k, 8): position, quaternion, field of view; in a loop, two rounds' ends overlap."""
        count, times = len(self.keyframes), self.seconds
        order = list(range(-1, count + 2)) if self.loop else list(range(count))
        seconds = [times[i % count] + (i // count) * self.duration for i in order] if self.loop else list(times)
        values: list[Array] = []
        for i in order:
            key = self.keyframes[i % count]
            rotation = glm.quat_cast(glm.dmat3(glm.dmat4(*key.camera_to_world.T.reshape(-1).tolist())))
            turn = np.array([rotation.w, rotation.x, rotation.y, rotation.z])
            if values and float(values[-1][3:7] @ turn) < 0:
                turn = -turn  # the same rotation, by the shorter way
            values.append(np.array([*key.camera_to_world[:3, 3], *turn, key.fov]))
        return np.array(seconds), np.stack(values)


def _hermite(times: Array, values: Array, t: float, tension: float) -> Array:
    i = int(np.clip(np.searchsorted(times, t, "right") - 1, 0, len(times) - 2))

    def tangent(k: int) -> Array:
        low, high = max(k - 1, 0), min(k + 1, len(times) - 1)
        return np.asarray((1 - tension) * (values[high] - values[low]) / (times[high] - times[low]))

    step = times[i + 1] - times[i]
    s = (t - times[i]) / step
    first, second = (1 + 2 * s) * (1 - s) ** 2, s * s * (3 - 2 * s)
    leaving, arriving = s * (1 - s) ** 2, s * s * (s - 1)
    curve = first * values[i] + second * values[i + 1]
    return np.asarray(curve + step * (leaving * tangent(i) + arriving * tangent(i + 1)))
