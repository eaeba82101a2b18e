"""Camera paths: keyframes and the smooth curve through them."""

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
    """A pose that a camera path passes through.

    ``camera_to_world``: (4, 4) float64; ``fov``: vertical field of view in radians; ``seconds``: time from the previous
    keyframe to this one, None for the path's ``transition``. The previous one of the first keyframe is the last, which
    only matters in a loop.
    """

    camera_to_world: Array
    fov: float
    seconds: float | None = None


@dataclass(frozen=True)
class CameraPath:
    """A smooth camera path through ``keyframes``, in the bundle's world.

    * ``loop``: whether the path returns from the last keyframe to the first.
    * ``transition``: seconds between two keyframes, unless the second one has its own.
    * ``tension``: from 0, a smooth curve, to 1, straight segments with a stop at each keyframe.
    * ``ease``: whether the camera starts and ends slowly; a loop ignores it.
    * ``fps``: frames per second; ``width``, ``height``: frame size in pixels.
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
        """Time of each keyframe in seconds, from 0, (n,); in a loop also the time of the return, (n + 1,)."""
        steps = [self.transition if key.seconds is None else key.seconds for key in self.keyframes]
        return np.cumsum([0.0, *steps[1:], *(steps[:1] if self.loop else [])])

    @property
    def duration(self) -> float:
        """Seconds from the first keyframe to the last; in a loop back to the first."""
        return float(self.seconds[-1]) if len(self.keyframes) > 1 else 0.0

    @property
    def frames(self) -> int:
        """Number of frames of the whole path, counted as nerfstudio does; at least 1."""
        return max(round(self.duration * self.fps), 1)

    def at(self, second: float) -> tuple[Array, float]:
        """Camera-to-world matrix (4, 4) and vertical field of view in radians at ``second``.

        Cubic Hermite curves interpolate positions, quaternions and fields of view. The tangents are Catmull-Rom
        tangents for uneven times, scaled by ``1 - tension`` (Kochanek and Bartels, SIGGRAPH 1984). Times outside the
        path are clamped; a loop repeats. Raises ValueError without keyframes.
        """
        if not self.keyframes:
            raise ValueError("a path without keyframes leads nowhere")
        if len(self.keyframes) == 1:
            return self.keyframes[0].camera_to_world, self.keyframes[0].fov
        times, values = self._knots
        duration = self.duration
        second = second % duration if self.loop else min(max(second, 0.0), duration)
        if self.ease and not self.loop:
            fraction = second / duration
            second = duration * fraction * fraction * (3 - 2 * fraction)
        value = _hermite(times, values, second, self.tension)
        pose = np.eye(4)
        rotation = glm.normalize(glm.dquat(*value[3:7]))
        pose[:3, :3] = np.array(glm.mat3_cast(rotation))
        pose[:3, 3] = value[:3]
        return pose, float(np.clip(value[7], *np.radians(FOV_RANGE)))

    def camera(self, second: float, width: int | None = None, height: int | None = None) -> Camera:
        """The camera at ``second``; the size in pixels is that of the path unless given."""
        pose, fov = self.at(second)
        return Camera.from_fov(pose, width or self.width, height or self.height, fov)

    def cameras(self) -> Iterator[Camera]:
        """The cameras of all frames. A loop ends one frame before its first frame would repeat."""
        steps = self.frames if self.loop else max(self.frames - 1, 1)
        return (self.camera(self.duration * i / steps) for i in range(self.frames))

    def moved(self, similarity: Array) -> CameraPath:
        """This path after ``similarity`` (4, 4) transforms the world: rotation, uniform scale and translation."""

        def pose(key: Keyframe) -> Array:
            return Camera.from_fov(key.camera_to_world, 1, 1, key.fov).moved(similarity).camera_to_world

        return replace(self, keyframes=tuple(replace(key, camera_to_world=pose(key)) for key in self.keyframes))

    @cached_property
    def _knots(self) -> tuple[Array, Array]:
        """Knots of the curve: times (k,) and values (k, 8), which are position, quaternion w x y z and field of view.

        A loop repeats keyframes before the first and after the last, so that the tangents match at the seam.
        """
        count = len(self.keyframes)
        times = self.seconds
        order = list(range(-1, count + 2)) if self.loop else list(range(count))
        seconds = [times[i % count] + (i // count) * self.duration for i in order] if self.loop else list(times)
        values: list[Array] = []
        for i in order:
            key = self.keyframes[i % count]
            rotation = glm.quat_cast(glm.dmat3(glm.dmat4(*key.camera_to_world.T.reshape(-1).tolist())))
            quaternion = np.array([rotation.w, rotation.x, rotation.y, rotation.z])
            if values and float(values[-1][3:7] @ quaternion) < 0:
                quaternion = -quaternion  # the same rotation, on the shorter arc
            values.append(np.array([*key.camera_to_world[:3, 3], *quaternion, key.fov]))
        return np.array(seconds), np.stack(values)


def _hermite(times: Array, values: Array, t: float, tension: float) -> Array:
    """The cubic Hermite curve through ``values`` (k, 8) at ``times`` (k,), at time ``t``: (8,)."""
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
