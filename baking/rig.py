"""Where the cameras of a bake stand: the rig, from the checkpoint's scene or from the dataset's own cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera, focus_point, horizontal_axes, look_at
from duplex.app.scene.orbits import ForwardPath, Orbit
from duplex.baking.fields.field import SceneInfo
from duplex.baking.fields.spaces import Contracted, Ndc

DEFAULT_FOV = 0.6911  # radians; that of the NeRF-synthetic scenes
FOCUS_DEPTH = 4.0  # near planes away, where a forward-facing camera's subject is taken to be
AROUND = 1.3  # how much more than the dataset's own pictures is kept of a forward-facing scene
NEARLY_ZERO = 0.01  # of far: the near plane where rays begin at the eye
BELOW = 0.15  # radii under the horizon from which parts are seen too: there, a hemisphere's views would be one-sided
SPREAD = 0.5  # near planes: how far forward-facing cameras stand apart where no dataset tells


@dataclass(frozen=True)
class Rig:
    """Cameras on a sphere, or on its upper half, that look at its ``center``; or poses to stand around.

    ``radius``: world units; ``up``: unit (3,); ``hemisphere``: only on the side of ``up``; ``fov``: vertical,
    radians; ``poses``: (n, 4, 4) camera-to-world of a dataset, which then take the sphere's place; ``forward``: the
    cameras stand side by side and look the same way, ``radius`` away from their common ``center``; ``surrounded``:
    the scene goes on behind and around the cameras; ``aspect``: width over height of the dataset's pictures, of which
    square ones are cut.
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
        """Where cameras of such a scene usually stand, when no dataset tells.

        In NDC: beside the origin. Otherwise on a sphere: half-way between near and far around the origin, which is
        where object scenes are trained; around the bounds where near says nothing; of radius 1 in a contracted space.
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
        center, radius = np.zeros(3), 0.5 * (scene.near + scene.far)
        if scene.bounds is not None and scene.near < 0.1 * scene.far:
            box = np.array(scene.bounds, np.float64)
            center, radius = box.mean(0), 1.6 * 0.5 * float(np.linalg.norm(box[1] - box[0]))
        return cls(center, radius, up, scene.hemisphere)

    @classmethod
    def from_cameras(cls, cameras: list[Camera], scene: SceneInfo, *, forward: bool) -> Rig:
        """Around the cameras of a dataset; ``forward``: they all look about the same way."""
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
        """The same rig around another point (3,)."""
        return replace(self, center=np.asarray(center, np.float64))

    def cameras(self, count: int, size: int, rng: np.random.Generator, near_share: float = 0.0) -> list[Camera]:
        """``count`` square cameras of ``size`` pixels drawn from the rig.

        ``near_share``: the share of them that see a part from closer by, as a person who flies through does and
        as every picture larger than the training's does: up to twice as near and with up to three times the
        focal length.
        """
        return [self._camera(size, rng, rng.random() < near_share) for _ in range(count)]

    def windows(self, count: int, size: int, side: int, rng: np.random.Generator, near_share: float) -> list[Camera]:
        """:meth:`cameras`, of each only ``side`` x ``side`` pixels somewhere in its picture.

        For the same number of pixels more directions are seen from, and those decide how well unseen ones are met.
        """
        whole = self.cameras(count, size, rng, near_share)
        corners = rng.integers(0, size - side + 1, (count, 2))
        return [
            replace(camera, width=side, height=side, cx=camera.cx - x, cy=camera.cy - y)
            for camera, (x, y) in zip(whole, corners.tolist(), strict=True)
        ]

    def evenly(self, count: int, size: int) -> list[Camera]:
        """``count`` cameras spread evenly: over the (hemi)sphere (a Fibonacci lattice), or between the poses."""
        if self.forward:  # and somewhat around them, so that nothing ends at the border of a picture
            wide = replace(self, fov=2 * math.atan(AROUND * math.tan(0.5 * self.fov)))
            return wide.cameras(count, size, np.random.default_rng(0))
        i = np.arange(count) + 0.5
        height = i / count if self.hemisphere else 1 - 2 * i / count
        angle = np.pi * (3 - np.sqrt(5)) * i
        return [
            self._toward(self._direction(a, h), self.radius, self.center, size)
            for a, h in zip(angle, height, strict=True)
        ]

    def way(self) -> Orbit | ForwardPath:
        """The circle, around the scene or before it, on which the bundle's preset cameras stand."""
        if self.forward and self.poses is not None:
            eyes = self.poses[:, :3, 3]
            return ForwardPath(eyes.mean(0), self.center, float(eyes.std(0).max()), self.up, self.fov)
        return Orbit(self.center, self.radius, self.up, self.fov)

    def _camera(self, size: int, rng: np.random.Generator, near: bool) -> Camera:
        if self.poses is not None:
            pose = self._beside(rng)
            if not near:
                return self._window(pose, size, rng)
            if self.surrounded:
                return self._step_forward(pose, size, rng)
            outward = pose[:3, 3] - self.center
            distance = float(np.linalg.norm(outward))
            outward /= max(distance, 1e-9)
        else:
            lowest = (-BELOW if near else 0.0) if self.hemisphere else -1.0
            height = rng.uniform(lowest, 1)
            outward, distance = self._direction(rng.uniform(0, 2 * np.pi), height), self.radius
        if not near:
            return self._toward(outward, distance, self.center, size)
        closer = replace(self, radius=distance, fov=self.fov / rng.uniform(1, 3), poses=None)
        target = self.center + rng.normal(size=3) * 0.1 * distance
        return closer._toward(outward, distance * rng.uniform(0.5, 1), target, size)

    def _window(self, pose: Array, size: int, rng: np.random.Generator) -> Camera:
        """A square cut at random from a picture of the dataset's aspect, as high or as wide as that."""
        tall = math.tan(0.5 * self.fov)
        half = min(tall, tall * self.aspect)  # tangent of half the square's field of view
        camera = Camera.from_fov(pose, size, size, 2 * math.atan(half))
        room = 1 + 0.5 * (AROUND - 1) if self.forward else 1.0
        across, down = (
            0.5 * size * (room * side / half - 1) * rng.uniform(-1, 1) for side in (tall * self.aspect, tall)
        )
        return replace(camera, cx=camera.cx + across, cy=camera.cy + down)

    def _step_forward(self, pose: Array, size: int, rng: np.random.Generator) -> Camera:
        """From ``pose`` up to a quarter of the way to the subject, looking at a part of what it saw."""
        zoom, tall = rng.uniform(1, 3), math.tan(0.5 * self.fov)
        x, y = ((1 - 1 / zoom) * side * rng.uniform(-1, 1) for side in (tall * self.aspect, tall))
        target = pose[:3, 3] + self.radius * (pose[:3, :3] @ np.array([x, y, -1.0]))
        position = pose[:3, 3] - pose[:3, 2] * self.radius * rng.uniform(0, 0.25)
        half = min(tall, tall * self.aspect) / zoom
        return Camera.from_fov(look_at(position, target, self.up), size, size, 2 * math.atan(half))

    def _beside(self, rng: np.random.Generator) -> Array:
        """A pose between two of the dataset's nearest poses; somewhat beyond them in a forward-facing scene."""
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

    def to_json(self) -> dict[str, Any]:
        """The rig as the manifest keeps it: of its poses only where the middle one stands, and how far they spread."""
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
        way = self.way()
        if isinstance(way, ForwardPath):
            data |= {"eye": way.eye.tolist(), "spread": way.spread}
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Rig:
        """Read :meth:`to_json`'s object; raises KeyError, TypeError or ValueError for anything else."""
        center, up = (np.array(data[key], np.float64).reshape(3) for key in ("center", "up"))
        radius, fov, aspect = float(data["radius"]), float(data["fov"]), float(data.get("aspect", 1))
        if not (
            0.01 < aspect < 100
            and np.isfinite(center).all()
            and abs(np.linalg.norm(up) - 1) < 1e-3
            and 0 < radius < 1e9
            and 0 < fov < 3
        ):
            raise ValueError("a rig of impossible numbers")
        forward, surrounded = bool(data.get("forward", False)), bool(data.get("surrounded", False))
        poses = None
        if forward:  # the dataset's own take its place where there are some
            eye, spread = np.array(data["eye"], np.float64).reshape(3), float(data["spread"])
            poses = np.stack([look_at(eye + spread * step, center, up) for step in np.eye(3)])
        return cls(center, radius, up, bool(data["hemisphere"]), fov, poses, forward, surrounded, aspect)
