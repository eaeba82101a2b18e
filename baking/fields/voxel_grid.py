"""A radiance field of dense voxel grids, with or without a shallow network for the colours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import ACTIVATIONS, RadianceField


@dataclass(frozen=True)
class VoxelVolume:
    """The grids of a checkpoint. ``density``: (1, 1, X, Y, Z) raw, ``features``: (1, c, X, Y, Z).

    ``low``, ``high``: corners of both (3,); ``shift``: of the raw density; ``rate``: of the activated one, to make
    it a density per unit of length; ``mask``: where there may be matter, (I, J, K) bool, at ``mask_scale`` (3,) times
    a point plus ``mask_shift`` (3,); None where it may be everywhere.
    """

    density: Tensor
    features: Tensor
    low: Tensor
    high: Tensor
    shift: float
    rate: float
    mask: tuple[Tensor, Tensor, Tensor] | None = None


@dataclass(frozen=True)
class ColorHead:
    """The colour network. ``layers``: with a ReLU between each two; ``views``: encoding of directions.

    ``positions``: encoding of positions in the unit cube, None where they are not fed in; ``residual``: the first
    three features are added to the network's output instead of being fed in.
    """

    layers: list[nn.Linear]
    views: Encoding
    positions: Encoding | None
    residual: bool


class VoxelGrid(RadianceField):
    """``volume`` with the network ``head``; without one, features are colours before a sigmoid.

    ``activation``: of the shifted raw density. The latent of a point is the point itself: features are read only
    where a colour is wanted.
    """

    density_grid: Tensor
    features: Tensor
    low: Tensor
    high: Tensor
    mask: Tensor
    mask_scale: Tensor
    mask_shift: Tensor

    def __init__(self, volume: VoxelVolume, head: ColorHead | None, activation: str):
        super().__init__()
        self.head = head
        self.activation = activation
        self.shift = volume.shift
        self.rate = volume.rate
        self.layers = nn.ModuleList(head.layers if head else [])
        self.masked = volume.mask is not None
        mask, scale, shift = volume.mask or (torch.ones(1, 1, 1, dtype=torch.bool), torch.zeros(3), torch.zeros(3))
        for name, tensor in (("density_grid", volume.density), ("features", volume.features)):
            self.register_buffer(name, tensor.contiguous())
        for name, tensor in (("low", volume.low), ("high", volume.high), ("mask", mask.contiguous())):
            self.register_buffer(name, tensor)
        self.register_buffer("mask_scale", scale)
        self.register_buffer("mask_shift", shift)

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        inside = ((points >= self.low) & (points <= self.high)).all(-1)
        if self.masked:
            inside &= self._maybe_occupied(points)
        raw = self._interpolated(self.density_grid, points)[:, 0]
        sigma = ACTIVATIONS[self.activation](raw + self.shift) * self.rate
        return torch.where(inside, sigma, torch.zeros_like(sigma)), points

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        features = self._interpolated(self.features, latent)
        if self.head is None:
            return torch.sigmoid(features)
        base = features[:, :3]
        columns = [features[:, 3:] if self.head.residual else features]
        if self.head.positions is not None:
            columns.append(self.head.positions((latent - self.low) / (self.high - self.low)))
        h = torch.cat([*columns, self.head.views(directions)], -1)
        for layer in self.layers[:-1]:
            h = torch.relu_(layer(h))
        h = self.layers[-1](h)
        return torch.sigmoid(h + base if self.head.residual else h)

    def _interpolated(self, grid: Tensor, points: Tensor) -> Tensor:
        """Values (n, c) of ``grid`` (1, c, X, Y, Z), whose corner values lie on the box's corners."""
        if not grid.shape[1]:
            return points.new_zeros(len(points), 0)
        place = (points - self.low) / (self.high - self.low) * 2 - 1
        place = place.flip(-1).view(1, 1, 1, -1, 3)  # grid_sample wants the last axis first
        return F.grid_sample(grid, place, align_corners=True).view(grid.shape[1], -1).T

    def _maybe_occupied(self, points: Tensor) -> Tensor:
        sides = points.new_tensor(self.mask.shape)
        cell = torch.round(points * self.mask_scale + self.mask_shift)
        known = ((cell >= 0) & (cell < sides)).all(-1)
        i, j, k = torch.minimum(cell.clamp(min=0), sides - 1).long().unbind(-1)
        return self.mask[i, j, k] & known

    def cell(self) -> float:  # noqa: D102
        sides = self.high - self.low
        counts = sides.new_tensor(self.density_grid.shape[2:])
        return float((sides / (counts - 1)).mean())

    def describe(self) -> dict[str, str]:  # noqa: D102
        grid = f"{' x '.join(map(str, self.density_grid.shape[2:]))} grid of {self.features.shape[1]} features"
        if self.head is None:
            return {"network": f"none: {grid}, which are colours", "density": self.activation}
        layers = f"{len(self.head.layers)} layers of {self.head.layers[0].out_features}"
        return {
            "network": f"{grid}, {layers}" + (", added to the first three" if self.head.residual else ""),
            "view encoding": self.head.views.describe(),
            "density": self.activation,
        }
