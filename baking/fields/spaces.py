"""The spaces that radiance fields live in, and the way between them and the world.

A field answers for points in its *field space*. That is the world itself for most scenes; normalised device
coordinates for forward-facing ones; a contraction of all of space into a box for unbounded ones. Cameras, shells
in a bundle and the viewer are always in the world, which is Euclidean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera


@dataclass(frozen=True)
class World:
    """The field lives in the world: nothing is mapped."""

    name = "world"
    straight = True  # rays are straight lines in field space
    mirrored = False  # what is right-handed in the world is left-handed in field space

    def rays(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Rays (n, 3) of the world as rays whose points :meth:`warp` brings into field space."""
        return origins, directions

    def view_directions(self, directions: Tensor, mapped: Tensor) -> Tensor:
        """What the field takes as viewing direction, before it is normalised; both (n, 3).

        ``directions``: of the rays in the world; ``mapped``: as :meth:`rays` gives them.
        """
        return directions

    def distances(self, near: float, far: float, count: int) -> Tensor:
        """Where the standard renderer's coarse samples lie along a mapped ray: (count,) float32."""
        return torch.linspace(near, far, count)

    def warp(self, points: Tensor) -> Tensor:
        """Points (..., 3) of mapped rays in field space."""
        return points

    def unwarp(self, points: Array) -> Array:
        """Points (n, 3) of field space in the world, float64."""
        return np.asarray(points, np.float64)

    def travelled(self, origins: Tensor, directions: Tensor, distances: Tensor) -> Tensor:
        """World distances from the eye (n, s) of samples at ``distances`` (n, s) of mapped rays.

        ``origins``, ``directions``: of the rays in the world (n, 3).
        """
        length: Tensor = directions.norm(dim=-1, keepdim=True)
        return distances * length

    def stretch(self, points: Array) -> Array:
        """World units in a unit of field space, along a line of sight, at ``points`` (n, 3) of field space: (n,).

        The density of a field is per world unit, except in NDC, where it is per unit of NDC itself.
        """
        return np.ones(len(points))

    def to_json(self) -> dict[str, Any]:
        """As the manifest keeps it; :func:`from_json` reads it."""
        return {"name": self.name}


@dataclass(frozen=True)
class Ndc(World):
    """Normalised device coordinates of one forward-facing camera (NeRF, appendix C), its near plane at depth 1.

    ``x``, ``y``: focal length over half the width, and over half the height, of the camera that it was made for;
    ``near``: depth of the near plane, which is -1 in NDC; ``far``: depth, in world units, to which the shells are
    brought back, where NDC goes on to infinity; ``field_views``: viewing directions are those of the rays in NDC.
    """

    x: float
    y: float
    near: float = 1.0
    far: float = 100.0
    field_views: bool = False
    name = "ndc"
    mirrored = True

    @classmethod
    def of(cls, camera: Camera, *, field_views: bool = False) -> Ndc:
        """For the pictures of ``camera``."""
        return cls(2 * camera.fx / camera.width, 2 * camera.fy / camera.height, field_views=field_views)

    def rays(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        depth = torch.where(directions[:, 2:] < -1e-6, directions[:, 2:], torch.full_like(directions[:, 2:], -1e-6))
        o = origins - (self.near + origins[:, 2:]) / depth * directions
        slope, place = directions[:, :2] / depth, o[:, :2] / o[:, 2:]
        scale = -origins.new_tensor([self.x, self.y])
        start = torch.cat([scale * place, 1 + 2 * self.near / o[:, 2:]], -1)
        return start, torch.cat([scale * (slope - place), -2 * self.near / o[:, 2:]], -1)

    def view_directions(self, directions: Tensor, mapped: Tensor) -> Tensor:  # noqa: D102
        return mapped if self.field_views else directions

    def unwarp(self, points: Array) -> Array:  # noqa: D102
        points = np.asarray(points, np.float64)
        depth = np.clip(2 * self.near / np.maximum(1 - points[:, 2], 1e-9), 0.1 * self.near, self.far)
        return np.stack([points[:, 0] * depth / self.x, points[:, 1] * depth / self.y, -depth], -1)

    def travelled(self, origins: Tensor, directions: Tensor, distances: Tensor) -> Tensor:  # noqa: D102
        # the NDC parameter t of a ray and its world parameter s: t = 1 - o_z / (o_z + s d_z), o on the near plane
        oz, dz = -self.near, directions[:, 2:].clamp(max=-1e-6)
        shift = -(self.near + origins[:, 2:]) / dz
        inside = distances.clamp(max=1 - self.near / self.far)
        length: Tensor = directions.norm(dim=-1, keepdim=True)
        return (shift + oz * inside / ((1 - inside) * dz)) * length

    def to_json(self) -> dict[str, Any]:  # noqa: D102
        return {"name": self.name, "x": self.x, "y": self.y, "near": self.near, "field_views": self.field_views}


@dataclass(frozen=True)
class Contracted(World):
    """All of space in a box of half-side 2 (mip-NeRF 360, equation 10, with the norm ``order``).

    Inside the unit ball of the norm nothing changes; ``x`` outside becomes ``(2 - 1 / |x|) x / |x|``.
    ``order``: ``inf`` (nerfacto) or 2 (mip-NeRF 360); ``far``: world units to which shells are brought back.
    """

    order: float = float("inf")
    far: float = 50.0
    name = "contracted"
    straight = False

    def distances(self, near: float, far: float, count: int) -> Tensor:  # noqa: D102
        # half of the samples evenly up to distance 1, the other half evenly in 1 / distance
        low, high = (_to_unit(value) for value in (near, far))
        s = torch.linspace(low, high, count)
        return torch.where(s < 0.5, 2 * s, 1 / (2 - 2 * s))

    def warp(self, points: Tensor) -> Tensor:  # noqa: D102
        size = torch.linalg.vector_norm(points, ord=self.order, dim=-1, keepdim=True).clamp(min=1e-9)
        return torch.where(size <= 1, points, (2 - 1 / size) * points / size)

    def unwarp(self, points: Array) -> Array:  # noqa: D102
        points = np.asarray(points, np.float64)
        size = np.maximum(np.linalg.norm(points, ord=self.order, axis=-1, keepdims=True), 1e-9)
        reach = 1 / np.maximum(2 - size, 1 / self.far)
        return np.where(size <= 1, points, points / size * reach)

    def stretch(self, points: Array) -> Array:  # noqa: D102
        size = np.linalg.norm(np.asarray(points, np.float64), ord=self.order, axis=-1)
        return np.where(size <= 1, 1.0, 1 / np.maximum(2 - size, 1 / self.far) ** 2)

    def to_json(self) -> dict[str, Any]:  # noqa: D102
        return {"name": self.name, "order": "inf" if np.isinf(self.order) else self.order}


def from_json(data: Any, place: str = "manifest.json: teacher.space") -> World:
    """Read a space's :meth:`to_json` from ``place``; the world where there is none. Raises :class:`DuplexError`."""
    try:
        if data is None or data["name"] == "world":
            return World()
        if data["name"] == "ndc":
            x, y, near = (float(data[key]) for key in ("x", "y", "near"))
            if not all(1e-3 < value < 1e3 for value in (x, y, near)):
                raise ValueError("impossible numbers")
            return Ndc(x, y, near, field_views=bool(data["field_views"]))
        if data["name"] == "contracted":
            order = float(data["order"])
            if order not in (2.0, float("inf")):
                raise ValueError("order is neither 2 nor inf")
            return Contracted(order)
        raise ValueError("name is none of world, ndc, contracted")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DuplexError(f"{place}: {error}: a damaged file; make it again") from None


def _to_unit(distance: float) -> float:
    return distance / 2 if distance < 1 else 1 - 1 / (2 * distance)
