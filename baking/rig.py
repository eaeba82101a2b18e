"""The rig: from where the cameras of a bake look at the scene. It follows from the scene or the dataset's cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER, Node
from duplex.app.scene.camera import Camera, focus_point, horizontal_axes, look_at
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.orbits import ForwardPath, Orbit
from duplex.baking.fields.field import SceneInfo
from duplex.baking.fields.spaces import Contracted, Ndc

DEFAULT_FOV = 0.6911  # radians; the field of view of the NeRF-synthetic scenes
FOCUS_DEPTH = 4.0  # assumed distance from a forward-facing camera to its subject, in near-plane distances
WIDENING = 1.3  # of a forward-facing scene's field of view, so that the shells extend past the dataset's pictures
NEARLY_ZERO = 0.01  # near plane as a share of far, for rays that begin at the eye
BELOW_HORIZON = 0.15  # radii below the horizon where close-ups may start: a hemisphere alone is one-sided there
SPREAD = 0.5  # spacing of forward-facing cameras without a dataset, in near-plane distances


@dataclass(frozen=True)
class Rig:
    """A distribution of cameras: on a sphere or its upper half, looking at its center, or near given poses.

    ``center``: (3,), world; ``radius``: world units; ``up``: (3,) unit vector; ``hemisphere``: cameras stand only on
    the side of ``up``; ``fov``: vertical field of view, radians; ``poses``: (n, 4, 4), camera-to-world, from a dataset,
    replace the sphere; ``forward``: the cameras stand side by side and look in the same direction, with ``center`` at
    the distance ``radius``; ``surrounded``: the scene extends behind and around the cameras; ``aspect``: width over
    height of the dataset's pictures, from which square crops are taken.
    """

    center: Array
    radius: float
    up: Array
    hemisphere: bool
    fov: float = DEFAULT_FOV
    poses: Array | None = None
    forward: bool = False
    surrounded: bool = False
    aspect: float = 1.0

    @classmethod
    def from_scene(cls, scene: SceneInfo) -> Rig:
        """The usual rig of such a scene, for a checkpoint without a dataset.

        NDC: nine poses around the origin. Contracted space: a sphere of radius 1 around the origin. Otherwise a sphere
        around the origin with the mean of near and far as its radius, as object scenes are trained; or a sphere around
        the bounds where near is almost zero.
        """
        up = np.asarray(scene.up, np.float64)
        if isinstance(scene.space, Ndc):
            fov = 2 * math.atan(1 / scene.space.y)
            steps = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)], np.float64)
            poses = np.tile(np.eye(4), (len(steps), 1, 1))
            poses[:, :2, 3] = steps * SPREAD * scene.space.near
            radius = FOCUS_DEPTH * scene.space.near
            aspect = scene.space.y / scene.space.x
            return cls(np.array([0, 0, -radius]), radius, up, False, fov, poses, True, True, aspect)
        if isinstance(scene.space, Contracted):
            return cls(np.zeros(3), 1.0, up, scene.hemisphere, 0.9, surrounded=True)
        center = np.zeros(3)
        radius = 0.5 * (scene.near + scene.far)
        if scene.bounds is not None and scene.near < 0.1 * scene.far:
            box = np.array(scene.bounds, np.float64)
            center = box.mean(0)
            radius = 1.6 * 0.5 * float(np.linalg.norm(box[1] - box[0]))
        return cls(center, radius, up, scene.hemisphere)

    @classmethod
    def from_cameras(cls, cameras: list[Camera], scene: SceneInfo, *, forward: bool) -> Rig:
        """The rig of a dataset's cameras; ``forward``: they all look in about the same direction."""
        poses = np.stack([camera.camera_to_world for camera in cameras])
        fov = float(np.median([camera.fov_y for camera in cameras]))
        aspect = float(np.median([camera.width / camera.fx * camera.fy / camera.height for camera in cameras]))
        if forward or isinstance(scene.space, Ndc):
            near = scene.space.near if isinstance(scene.space, Ndc) else scene.near or NEARLY_ZERO * scene.far
            depth = FOCUS_DEPTH * near
            gaze = -poses[:, :3, 2].mean(0)
            center = poses[:, :3, 3].mean(0) + depth * gaze / max(float(np.linalg.norm(gaze)), 1e-9)
            up = np.asarray(scene.up, np.float64)
            return cls(center, depth, up, False, fov, poses, True, True, aspect)
        center = focus_point(poses)
        radius = float(np.median(np.linalg.norm(poses[:, :3, 3] - center, axis=1)))
        rig = cls.from_scene(scene)
        return replace(rig, center=center, radius=radius, fov=fov, poses=poses, aspect=aspect)

    def around(self, center: Array) -> Rig:
        """The same rig around another center (3,), world."""
        return replace(self, center=np.asarray(center, np.float64))

    def cameras(self, count: int, size: int, rng: np.random.Generator, near_share: float = 0.0) -> list[Camera]:
        """``count`` random square cameras of ``size`` pixels from the rig.

        ``near_share``: the share of close-ups, in [0, 1]: up to twice as near and with up to three times the focal
        length. They train for flights through the scene and for pictures larger than the training's.
        """
        return [self._camera(size, rng, rng.random() < near_share) for _ in range(count)]

    def windows(self, count: int, size: int, side: int, rng: np.random.Generator, near_share: float) -> list[Camera]:
        """:meth:`cameras`, each cropped to a random window of ``side`` x ``side`` pixels.

        The same number of pixels then covers more view directions, which improves the quality at held-out views.
        """
        whole = self.cameras(count, size, rng, near_share)
        corners = rng.integers(0, size - side + 1, (count, 2))
        return [
            replace(camera, width=side, height=side, cx=camera.cx - x, cy=camera.cy - y)
            for camera, (x, y) in zip(whole, corners.tolist(), strict=True)
        ]

    def evenly(self, count: int, size: int) -> list[Camera]:
        """``count`` cameras on a Fibonacci lattice of the (hemi)sphere; near the poses in a forward-facing scene."""
        if self.forward:  # with a wider field of view, so that the shells do not end at a picture's border
            wide = replace(self, fov=2 * math.atan(WIDENING * math.tan(0.5 * self.fov)))
            return wide.cameras(count, size, np.random.default_rng(0))
        i = np.arange(count) + 0.5
        height = i / count if self.hemisphere else 1 - 2 * i / count
        angle = np.pi * (3 - np.sqrt(5)) * i
        return [
            self._toward(self._direction(a, h), self.radius, self.center, size)
            for a, h in zip(angle, height, strict=True)
        ]

    def elsewhere(self, count: int, size: int) -> list[Camera]:
        """``count`` cameras all around an object; none where the scene is around the cameras."""
        if self.forward or self.surrounded:
            return []
        return replace(self, hemisphere=False).evenly(count, size)

    def trained_from(self, camera: Camera) -> bool:
        """Whether the teacher may know what ``camera`` sees; some close-ups of an object stand below its horizon."""
        known = self.poses is not None or self.surrounded or not self.hemisphere
        return known or float((camera.position - self.center) @ self.up) >= 0

    def path(self) -> Orbit | ForwardPath:
        """The closed camera path of the bundle's preset cameras: around the scene or in front of it."""
        if self.forward and self.poses is not None:
            eyes = self.poses[:, :3, 3]
            return ForwardPath(eyes.mean(0), self.center, float(eyes.std(0).max()), self.up, self.fov)
        return Orbit(self.center, self.radius, self.up, self.fov)

    def _camera(self, size: int, rng: np.random.Generator, near: bool) -> Camera:
        if self.poses is not None:
            pose = self._pose_between(rng)
            if not near:
                return self._window(pose, size, rng)
            if self.surrounded:
                return self._step_forward(pose, size, rng)
            outward = pose[:3, 3] - self.center
            distance = float(np.linalg.norm(outward))
            outward /= max(distance, 1e-9)
        else:
            lowest = (-BELOW_HORIZON if near else 0.0) if self.hemisphere else -1.0
            height = rng.uniform(lowest, 1)
            outward = self._direction(rng.uniform(0, 2 * np.pi), height)
            distance = self.radius
        if not near:
            return self._toward(outward, distance, self.center, size)
        closer = replace(self, radius=distance, fov=self.fov / rng.uniform(1, 3), poses=None)
        target = self.center + rng.normal(size=3) * 0.1 * distance
        return closer._toward(outward, distance * rng.uniform(0.5, 1), target, size)

    def _window(self, pose: Array, size: int, rng: np.random.Generator) -> Camera:
        """A random square crop of a picture with the dataset's aspect; its side is the picture's shorter side."""
        tall = math.tan(0.5 * self.fov)
        half = min(tall, tall * self.aspect)  # tangent of half the crop's field of view
        camera = Camera.from_fov(pose, size, size, 2 * math.atan(half))
        room = 1 + 0.5 * (WIDENING - 1) if self.forward else 1.0
        across, down = (
            0.5 * size * (room * side / half - 1) * rng.uniform(-1, 1) for side in (tall * self.aspect, tall)
        )
        return replace(camera, cx=camera.cx + across, cy=camera.cy + down)

    def _step_forward(self, pose: Array, size: int, rng: np.random.Generator) -> Camera:
        """A close-up: ``pose`` moved forward by up to a quarter of ``radius``, looking at a part of its picture."""
        zoom = rng.uniform(1, 3)
        tall = math.tan(0.5 * self.fov)
        x, y = ((1 - 1 / zoom) * side * rng.uniform(-1, 1) for side in (tall * self.aspect, tall))
        target = pose[:3, 3] + self.radius * (pose[:3, :3] @ np.array([x, y, -1.0]))
        position = pose[:3, 3] - pose[:3, 2] * self.radius * rng.uniform(0, 0.25)
        half = min(tall, tall * self.aspect) / zoom
        return Camera.from_fov(look_at(position, target, self.up), size, size, 2 * math.atan(half))

    def _pose_between(self, rng: np.random.Generator) -> Array:
        """A random pose (4, 4) between two neighbouring poses; a forward-facing scene extrapolates a little."""
        assert self.poses is not None
        first = self.poses[rng.integers(len(self.poses))]
        gaps = np.linalg.norm(self.poses[:, :3, 3] - first[:3, 3], axis=1)
        second = self.poses[rng.choice(np.argsort(gaps)[: min(4, len(gaps))])]
        share = rng.uniform(-0.5, 1.5) if self.forward else rng.uniform(0, 1)
        position = (1 - share) * first[:3, 3] + share * second[:3, 3]
        gaze = (1 - share) * first[:3, 2] + share * second[:3, 2]
        return look_at(position, position - gaze, self.up)

    def _direction(self, angle: float, height: float) -> Array:
        first, second = horizontal_axes(self.up)
        flat = np.sqrt(max(1 - height * height, 0))
        return np.asarray(flat * (np.cos(angle) * first + np.sin(angle) * second) + height * self.up)

    def _toward(self, outward: Array, distance: float, target: Array, size: int) -> Camera:
        pose = look_at(self.center + outward * distance, target, self.up)
        return Camera.from_fov(pose, size, size, self.fov)

    def reference_view(self, size: int) -> ReferenceView:
        """The reference view of a network that learns from the rig's square pictures of ``size`` pixels."""
        tall = math.tan(0.5 * self.fov)
        focal = 0.5 * size / min(tall, tall * self.aspect)
        if self.poses is None:
            x, y, z = self.center.tolist()
            return ReferenceView((x, y, z), self.radius, focal)
        eyes = self.poses[:, :3, 3]
        x, y, z = eyes.mean(0).tolist()
        return ReferenceView((x, y, z), float(np.sqrt(((eyes - eyes.mean(0)) ** 2).sum(1).mean())), focal)

    def reach(self, cameras: list[Camera]) -> dict[str, Any]:
        """The member ``elevations`` of the manifest's ``rig`` object: those of the lowest and the highest camera.

        Radians above the horizontal plane through the center. Nothing where the scene is not looked at from around.
        """
        if self.forward or self.surrounded:
            return {}
        outward = np.array([camera.position for camera in cameras]) - self.center
        sines = outward @ self.up / np.maximum(np.linalg.norm(outward, axis=1), 1e-9)
        return {"elevations": np.arcsin(sines.clip(-1, 1))[[sines.argmin(), sines.argmax()]].tolist()}

    def to_json(self) -> dict[str, Any]:
        """The manifest's ``rig`` object; of a forward rig's poses it keeps only the mean position and the spread."""
        data: dict[str, Any] = {
            "center": self.center.tolist(),
            "radius": self.radius,
            "up": self.up.tolist(),
            "hemisphere": self.hemisphere,
            "fov": self.fov,
            "forward": self.forward,
            "surrounded": self.surrounded,
            "aspect": self.aspect,
        }
        path = self.path()
        if isinstance(path, ForwardPath):
            data |= {"eye": path.eye.tolist(), "spread": path.spread}
        return data

    @classmethod
    def from_json(cls, data: Node) -> Rig:
        """Read :meth:`to_json`'s object; raises :class:`~duplex.app.core.errors.DuplexError` for anything else."""
        center, up = data.numbers("center", 3), data.numbers("up", 3)
        radius, fov = data.number("radius", 0, MAX_NUMBER), data.number("fov", 0, 3)
        aspect = data.number("aspect", 0.01, 100, 1)
        if not (radius > 0 and 1e-6 < fov < 3) or abs(np.linalg.norm(up) - 1) > 1e-3:
            raise DuplexError(f"{data.name}: impossible numbers: {data.remedy}")
        forward, surrounded = data.flag("forward", False), data.flag("surrounded", False)
        poses = None
        if forward:  # a stand-in; a caller that has the dataset's poses replaces them
            eye = data.numbers("eye", 3)
            spread = data.number("spread", -MAX_NUMBER, MAX_NUMBER)
            poses = np.stack([look_at(eye + spread * step, center, up) for step in np.eye(3)])
        return cls(center, radius, up, data.flag("hemisphere"), fov, poses, forward, surrounded, aspect)
