"""The spaces that radiance fields live in, and the way between them and the world.

A field answers for points in its *field space*. That is the world itself for most scenes; normalised device
coordinates for forward-facing ones; a contraction of all of space into a box for unbounded ones. Cameras, shells
in a bundle and the viewer are always in the world, which is Euclidean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.tree import MAX_NUMBER, Node
from duplex.app.scene.camera import Camera
from duplex.app.scene.codec.mesh_space import CONTRACTED, NDC, MeshSpace

MIN_RADIUS = 1e-6


class Space(Protocol):
    """What a field space is; its members are :class:`World`, :class:`Ndc` and :class:`Contracted`."""

    @property
    def name(self) -> str:
        """As flags and manifests name it: ``world``, ``ndc`` or ``contracted``."""

    @property
    def straight(self) -> bool:
        """Whether rays are straight lines in field space."""

    @property
    def mirrored(self) -> bool:
        """Whether what is right-handed in the world is left-handed in field space."""

    def rays(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Rays (n, 3) of the world as rays whose points :meth:`warp` brings into field space."""

    def view_directions(self, directions: Tensor, mapped: Tensor) -> Tensor:
        """What the field takes as viewing direction, before it is normalised; both (n, 3).

        ``directions``: of the rays in the world; ``mapped``: as :meth:`rays` gives them.
        """

    def distances(self, near: float, far: float, count: int) -> Tensor:
        """Where the standard renderer's coarse samples lie along a mapped ray: (count,) float32."""

    def warp(self, points: Tensor) -> Tensor:
        """Points (..., 3) of mapped rays in field space."""

    def unwarp(self, points: Array) -> Array:
        """Points (n, 3) of field space in the world, float64."""

    def travelled(self, origins: Tensor, directions: Tensor, distances: Tensor) -> Tensor:
        """World distances from the eye (n, s) of samples at ``distances`` (n, s) of mapped rays.

        ``origins``, ``directions``: of the rays in the world (n, 3).
        """

    def stretch(self, points: Tensor) -> Tensor:
        """World units in a unit of field space, along a line of sight, at ``points`` (..., 3) of field space: (...).

        The density of a field is per world unit, except in NDC, where it is per unit of NDC itself.
        """

    def to_json(self) -> dict[str, Any]:
        """As the manifest keeps it; :func:`from_json` reads it."""


@dataclass(frozen=True)
class World:
    """The field lives in the world: nothing is mapped."""

    name = "world"
    straight = True
    mirrored = False

    def rays(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """The same rays."""
        return origins, directions

    def view_directions(self, directions: Tensor, mapped: Tensor) -> Tensor:
        """Those of the rays."""
        return directions

    def distances(self, near: float, far: float, count: int) -> Tensor:
        """Evenly from ``near`` to ``far``."""
        return torch.linspace(near, far, count)

    def warp(self, points: Tensor) -> Tensor:
        """The same points."""
        return points

    def unwarp(self, points: Array) -> Array:
        """The same points."""
        return np.asarray(points, np.float64)

    def travelled(self, origins: Tensor, directions: Tensor, distances: Tensor) -> Tensor:
        """Distances times the length of the directions."""
        return _scaled(distances, directions)

    def stretch(self, points: Tensor) -> Tensor:
        """1 everywhere."""
        return torch.ones_like(points[..., 0])

    def to_json(self) -> dict[str, Any]:
        """The name alone."""
        return {"name": self.name}


@dataclass(frozen=True)
class Ndc:
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
    straight = True
    mirrored = True

    @classmethod
    def of(cls, camera: Camera, *, field_views: bool = False) -> Ndc:
        """For the pictures of ``camera``."""
        return cls(2 * camera.fx / camera.width, 2 * camera.fy / camera.height, field_views=field_views)

    def rays(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """From the near plane (distance 0) to infinity (distance 1)."""
        depth = torch.where(directions[:, 2:] < -1e-6, directions[:, 2:], torch.full_like(directions[:, 2:], -1e-6))
        o = origins - (self.near + origins[:, 2:]) / depth * directions
        slope = directions[:, :2] / depth
        place = o[:, :2] / o[:, 2:]
        scale = -origins.new_tensor([self.x, self.y])
        start = torch.cat([scale * place, 1 + 2 * self.near / o[:, 2:]], -1)
        return start, torch.cat([scale * (slope - place), -2 * self.near / o[:, 2:]], -1)

    def view_directions(self, directions: Tensor, mapped: Tensor) -> Tensor:
        """Those in NDC where ``field_views`` says so."""
        return mapped if self.field_views else directions

    def distances(self, near: float, far: float, count: int) -> Tensor:
        """Evenly from ``near`` to ``far``, which are 0 to 1 for the whole ray."""
        return torch.linspace(near, far, count)

    def warp(self, points: Tensor) -> Tensor:
        """The same points: mapped rays are in NDC already."""
        return points

    def unwarp(self, points: Array) -> Array:
        """Points in the world, at most ``far`` away."""
        return self.of_meshes.to_world(np.asarray(points, np.float64))

    @property
    def of_meshes(self) -> MeshSpace:
        """The same space as bundles know it."""
        return MeshSpace(NDC, (self.x, self.y, 0.0), self.near, far=self.far)

    def travelled(self, origins: Tensor, directions: Tensor, distances: Tensor) -> Tensor:
        """Distances up to where the depth is ``far``."""
        # the NDC parameter t of a ray and its world parameter s: t = 1 - o_z / (o_z + s d_z), o on the near plane
        oz = -self.near
        dz = directions[:, 2:].clamp(max=-1e-6)
        shift = -(self.near + origins[:, 2:]) / dz
        inside = distances.clamp(max=1 - self.near / self.far)
        return _scaled(shift + oz * inside / ((1 - inside) * dz), directions)

    def stretch(self, points: Tensor) -> Tensor:
        """1 everywhere: the density is per unit of NDC."""
        return torch.ones_like(points[..., 0])

    def to_json(self) -> dict[str, Any]:
        """The camera's numbers; ``far`` is not kept."""
        return {"name": self.name, "x": self.x, "y": self.y, "near": self.near, "field_views": self.field_views}


@dataclass(frozen=True)
class Contracted:
    """All of space in a box of half-side 2 (mip-NeRF 360, equation 10, with the norm ``order``).

    With ``x`` in units of ``radius`` from ``center``: inside the unit ball of the norm nothing changes; ``x`` outside
    becomes ``(2 - 1 / |x|) x / |x|``. ``order``: ``inf`` (nerfacto) or 2 (mip-NeRF 360); ``far``: radii to which shells
    are brought back; ``center``, ``radius``: world units.
    """

    order: float = float("inf")
    far: float = 50.0
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 1.0
    name = "contracted"
    straight = False
    mirrored = False

    @property
    def end(self) -> float:
        """The norm of points at the distance ``far``, in field space."""
        return 2 - 1 / self.far

    def rays(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """The same rays: their points are contracted, not they."""
        return origins, directions

    def view_directions(self, directions: Tensor, mapped: Tensor) -> Tensor:
        """Those of the rays."""
        return directions

    def distances(self, near: float, far: float, count: int) -> Tensor:
        """Half of the samples evenly up to the radius, the other half evenly in 1 / distance."""
        low, high = self.share(torch.tensor([near, far], dtype=torch.float64)).tolist()
        s = torch.linspace(low, high, count)
        return self.radius * torch.where(s < 0.5, 2 * s, 1 / (2 - 2 * s))

    def share(self, distances: Tensor) -> Tensor:
        """How far along a ray ``distances`` lie, 0 to 1: up to the radius evenly, behind it evenly in 1 / distance."""
        far = distances / self.radius
        return torch.where(far < 1, 0.5 * far, 1 - 0.5 / far.clamp(min=1))

    def edges(self, near: float, far: float, reach: float, step: float) -> Tensor:
        """Distances (k,) along a ray from ``near`` to ``far``, between which it crosses about ``step`` of field space.

        ``reach``: the largest distance of a ray's origin from the center, world units. Lengths stay as they are until
        a ray must have left the ball; from there they grow with the square of the distance, as contraction shrinks
        them along a line of sight.
        """
        turn = reach + self.radius
        length = self.radius * step
        inner = np.arange(near, max(turn, near + length), length)
        start = float(inner[-1])
        count = max(math.ceil(turn**2 / length * (1 / start - 1 / max(far, start))), 1)
        outer = 1 / np.linspace(1 / start, 1 / max(far, start + length), count + 1)
        return torch.from_numpy(np.concatenate([inner, outer[1:]]).astype(np.float32))

    def warp(self, points: Tensor) -> Tensor:
        """The contraction."""
        if self.radius != 1 or any(self.center):
            points = (points - points.new_tensor(self.center)) / self.radius
        shrunk = 1 / self._norm(points).clamp(min=1)[..., None]
        return points * (shrunk * (2 - shrunk))

    def unwarp(self, points: Array) -> Array:
        """The inverse of the contraction, out to ``far``."""
        return self.of_meshes.to_world(np.asarray(points, np.float64))

    @property
    def of_meshes(self) -> MeshSpace:
        """The same space as bundles know it."""
        return MeshSpace(CONTRACTED, self.center, self.radius, math.isinf(self.order), self.far)

    def travelled(self, origins: Tensor, directions: Tensor, distances: Tensor) -> Tensor:
        """Distances times the length of the directions."""
        return _scaled(distances, directions)

    def stretch(self, points: Tensor) -> Tensor:
        """The inverse contraction's derivative along a line of sight."""
        return self.radius / (2 - self._norm(points).clamp(1, 2 - 1 / self.far)) ** 2

    def _norm(self, points: Tensor) -> Tensor:
        """Of points (..., 3): (...)."""
        if math.isinf(self.order):  # several times as fast as torch's own
            x, y, z = points.abs().unbind(-1)
            return torch.maximum(torch.maximum(x, y), z)
        return torch.linalg.vector_norm(points, ord=self.order, dim=-1)  # type: ignore[no-any-return]

    def to_json(self) -> dict[str, Any]:
        """Norm and ball; ``far`` is not kept."""
        order = "inf" if np.isinf(self.order) else self.order
        return {"name": self.name, "order": order, "center": list(self.center), "radius": self.radius}


def from_json(space: Node) -> Space:
    """Read a space's :meth:`to_json`; the world where there is none. Raises :class:`DuplexError`."""
    if space.value is None:
        return World()
    name = space.text("name", ("world", "ndc", "contracted"))
    if name == "ndc":
        x, y, near = (space.number(key, 1e-3, 1e3) for key in ("x", "y", "near"))
        return Ndc(x, y, near, field_views=space.flag("field_views"))
    if name == "contracted":
        order = float("inf") if space.child("order").value == "inf" else space.number("order", 2, 2)
        if "radius" not in space:  # as first written
            return Contracted(order)
        x, y, z = space.numbers("center", 3).tolist()
        return Contracted(order, center=(x, y, z), radius=space.number("radius", MIN_RADIUS, MAX_NUMBER))
    return World()


def _scaled(distances: Tensor, directions: Tensor) -> Tensor:
    """``distances`` (n, s), in lengths of ``directions`` (n, 3), in world units."""
    return distances * directions.norm(dim=-1, keepdim=True)  # type: ignore[no-any-return]
