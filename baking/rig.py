"""Where the cameras of a bake stand: the rig, from the checkpoint's scene or from the dataset's own cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from duplex.app.camera import Array, Camera, Orbit, horizontal_axes, look_at
from duplex.baking.teachers import SceneInfo

DEFAULT_FOV = 0.6911  # radians; that of the NeRF-synthetic scenes


@dataclass(frozen=True)
class Rig:
    """Cameras on a sphere, or on its upper half, that look at its ``center``; or poses to stand around.

    ``radius``: world units; ``up``: unit (3,); ``hemisphere``: only on the side of ``up``; ``fov``: vertical,
    radians; ``poses``: (n, 4, 4) camera-to-world of a dataset, which then take the sphere's place.
    """

    center: Array
    radius: float
    up: Array
    hemisphere: bool
    fov: float = DEFAULT_FOV
    poses: Array | None = None

    @classmethod
    def from_scene(cls, scene: SceneInfo, hemisphere: bool | None = None) -> Rig:
        """A sphere half-way between near and far around the origin, which is where such scenes are trained."""
        half = scene.hemisphere if hemisphere is None else hemisphere
        return cls(np.zeros(3), 0.5 * (scene.near + scene.far), np.asarray(scene.up, np.float64), half)

    @classmethod
    def from_cameras(cls, cameras: list[Camera], scene: SceneInfo) -> Rig:
        """Around the cameras of a dataset: their poses, and their median field of view."""
        rig = cls.from_scene(scene)
        fov = float(np.median([camera.fov_y for camera in cameras]))
        return replace(rig, fov=fov, poses=np.stack([camera.camera_to_world for camera in cameras]))

    def cameras(self, count: int, size: int, rng: np.random.Generator, near_share: float = 0.0) -> list[Camera]:
        """``count`` square cameras of ``size`` pixels drawn from the rig.

        ``near_share``: the share of them that see a part from closer by, as a person who flies through does and
        as every picture larger than the training's does: up to twice as near and with up to three times the
        focal length.
        """
        return [self._camera(size, rng, rng.random() < near_share) for _ in range(count)]

    def evenly(self, count: int, size: int) -> list[Camera]:
        """``count`` cameras spread evenly over the sphere or hemisphere (a Fibonacci lattice)."""
        i = np.arange(count) + 0.5
        height = i / count if self.hemisphere else 1 - 2 * i / count
        angle = np.pi * (3 - np.sqrt(5)) * i
        return [
            self._toward(self._direction(a, h), self.radius, self.center, size)
            for a, h in zip(angle, height, strict=True)
        ]

    def orbit(self) -> Orbit:
        """The circle on which the bundle's preset cameras stand."""
        return Orbit(self.center, self.radius, self.up, self.fov)

    def _camera(self, size: int, rng: np.random.Generator, near: bool) -> Camera:
        if self.poses is not None:
            pose = self._beside(rng)
            outward, distance = pose[:3, 3] - self.center, float(np.linalg.norm(pose[:3, 3] - self.center))
            if not near:
                return Camera.from_fov(pose, size, size, self.fov)
            outward /= max(distance, 1e-9)
        else:
            height = rng.uniform(0, 1) if self.hemisphere else rng.uniform(-1, 1)
            outward, distance = self._direction(rng.uniform(0, 2 * np.pi), height), self.radius
        if not near:
            return self._toward(outward, distance, self.center, size)
        closer = Rig(self.center, distance, self.up, self.hemisphere, self.fov / rng.uniform(1, 3))
        target = self.center + rng.normal(size=3) * 0.1 * distance
        return closer._toward(outward, distance * rng.uniform(0.5, 1), target, size)

    def _beside(self, rng: np.random.Generator) -> Array:
        """A pose between two of the dataset's nearest poses."""
        assert self.poses is not None
        first = self.poses[rng.integers(len(self.poses))]
        gaps = np.linalg.norm(self.poses[:, :3, 3] - first[:3, 3], axis=1)
        second = self.poses[rng.choice(np.argsort(gaps)[: min(4, len(gaps))])]
        share = rng.uniform(0, 1)
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
        """The rig without its poses, as the manifest keeps it."""
        return {
            "center": self.center.tolist(),
            "radius": self.radius,
            "up": self.up.tolist(),
            "hemisphere": self.hemisphere,
            "fov": self.fov,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Rig:
        """Read :meth:`to_json`'s object; raises KeyError, TypeError or ValueError for anything else."""
        center, up = (np.array(data[key], np.float64).reshape(3) for key in ("center", "up"))
        radius, fov = float(data["radius"]), float(data["fov"])
        if not (np.isfinite(center).all() and abs(np.linalg.norm(up) - 1) < 1e-3 and 0 < radius < 1e9 and 0 < fov < 3):
            raise ValueError("a rig of impossible numbers")
        return cls(center, radius, up, bool(data["hemisphere"]), fov)
