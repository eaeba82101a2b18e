"""KiloNeRF's field: a box divided into a grid of cells, a tiny network in each (Reiser et al., ICCV 2021, section 3).

Alphabet: ``n`` points, ``m`` networks, ``B`` points in a block. A point in a cell goes to that cell's network in
coordinates that run from -1 to 1 there. The encoding of each coordinate ``x`` is ``x``, then all ``cos(2^k x)``, then
all ``sin(2^k x)``. The networks are wired as the NeRF paper's: density from the trunk, colour from a feature layer
without activation and the encoded direction.

Points are sorted by network and laid out in blocks that each belong to one of them, so that one batched product
serves them all, however unevenly they are spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.fields.encoding import MAX_FREQUENCIES
from duplex.baking.fields.field import ACTIVATIONS, RadianceField

BLOCK = 32
MAX_NETWORKS = 1 << 20
MAX_WIDTH = 512  # of a layer of these small networks, whose weights are gathered for every block
MARGIN = 0.001  # world units inside the box that belong to no network
HEADS = ("feature_linear", "alpha_linear", "direction_layer", "rgb_linear")


@dataclass(frozen=True)
class NetworkGrid:
    """``corners`` (2, 3) of the box, ``resolution`` of the networks, ``occupancy`` (x, y, z) of finer cells or None."""

    corners: Array
    resolution: tuple[int, int, int]
    occupancy: Tensor | None = None


class Linears(nn.Module):
    """One linear layer of every network: ``weight`` (m, inputs, outputs) and ``bias`` (m, 1, outputs)."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor):
        super().__init__()
        self.register_buffer("weight", weight.detach().contiguous())
        self.register_buffer("bias", bias.detach()[:, None, :].contiguous())
        self.inputs = weight.shape[1]
        self.outputs = weight.shape[2]

    def forward(self, x: Tensor, owner: Tensor) -> Tensor:
        """Blocks ``x`` (b, B, inputs) through the networks ``owner`` (b,)."""
        return torch.baddbmm(self.bias[owner], x, self.weight[owner])


class KiloNerf(RadianceField):
    """The networks of a state dict in the cells of ``grid``, numbered row by row, z fastest."""

    low: Tensor
    size: Tensor
    resolution: Tensor
    occupancy: Tensor

    def __init__(self, weights: dict[str, Tensor], grid: NetworkGrid, activation: str):
        super().__init__()
        self.activation = activation
        corners = torch.as_tensor(grid.corners, dtype=torch.float32)
        cells = torch.tensor(grid.resolution)
        everywhere = torch.ones(1, 1, 1, dtype=torch.bool)
        self.register_buffer("low", corners[0])
        self.register_buffer("size", corners[1] - corners[0])
        self.register_buffer("resolution", cells)
        self.register_buffer("occupancy", everywhere if grid.occupancy is None else grid.occupancy)
        if not bool((self.size > 2 * MARGIN).all()):
            raise DuplexError(
                f"a box from {corners[0].tolist()} to {corners[1].tolist()}: expected low x y z, high x y z"
            )
        depth = sum(key.startswith("pts_linears.") and key.endswith(".weight") for key in weights)
        if not depth:
            raise DuplexError("pts_linears.0, 1, ... are missing: a KiloNeRF of another shape than the paper's")
        names = [*(f"pts_linears.{i}" for i in range(depth)), *HEADS]
        layers = _layers(weights, names, int(cells.prod()))
        self.trunk = nn.ModuleList(layers[:depth])
        self.feature, self.alpha, self.views, self.rgb = layers[depth:]
        self.frequencies = _frequencies(layers[0].inputs, "pts_linears.0")
        self.view_frequencies = _frequencies(self.views.inputs - self.feature.outputs, "direction_layer")
        self.skips = _check(layers[:depth], (self.feature, self.alpha, self.views, self.rgb))

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        index, local = self._place(points)

        def trunk(e: Tensor, owner: Tensor) -> Tensor:
            h = e
            for i, layer in enumerate(self.trunk):
                h = torch.relu_(layer(torch.cat([e, h], -1) if i in self.skips else h, owner))
            return torch.cat([h, self.alpha(h, owner)], -1)

        out = self._grouped(trunk, encode(local, self.frequencies), index, self.alpha.inputs + 1)
        sigma = ACTIVATIONS[self.activation](out[:, -1]) * (index >= 0)
        out[:, -1] = index  # color needs to know the network: whole numbers up to 2^24 are exact
        return sigma, out

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        index = latent[:, -1].long()
        inputs = torch.cat([latent[:, :-1], encode(directions, self.view_frequencies)], -1)

        def head(x: Tensor, owner: Tensor) -> Tensor:
            h, d = x[..., : self.alpha.inputs], x[..., self.alpha.inputs :]
            view = torch.relu_(self.views(torch.cat([self.feature(h, owner), d], -1), owner))
            return torch.sigmoid(self.rgb(view, owner))

        return self._grouped(head, inputs, index, 3)

    def describe(self) -> dict[str, str]:  # noqa: D102
        cells = " x ".join(str(int(side)) for side in self.resolution)
        empty = "no occupancy grid"
        if self.occupancy.numel() > 1:
            empty = f"occupancy grid of {' x '.join(map(str, self.occupancy.shape))}"
        return {
            "network": f"{cells} networks of {len(self.trunk)} layers of {self.alpha.inputs}, {empty}",
            "encoding": f"{self.frequencies} frequencies (2^k) in each network's own cell",
            "view encoding": f"{self.view_frequencies} frequencies (2^k)",
            "density": self.activation,
        }

    def _place(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Network (n,) of each point, -1 where there is none, and its coordinates (n, 3) in that network's cell."""
        share = (points - self.low) / self.size
        cell = _cells(share, self.resolution)
        inside = ((points > self.low + MARGIN) & (points < self.low + self.size - MARGIN)).all(-1)
        fine = _cells(share, torch.tensor(self.occupancy.shape, device=points.device))
        inside &= self.occupancy[fine[:, 0], fine[:, 1], fine[:, 2]]
        number = (cell[:, 0] * self.resolution[1] + cell[:, 1]) * self.resolution[2] + cell[:, 2]
        return torch.where(inside, number, -1), 2 * (share * self.resolution - cell) - 1

    def _grouped(self, function: Callable[..., Tensor], x: Tensor, index: Tensor, width: int) -> Tensor:
        """``function`` (blocks, their networks) of the rows of ``x`` (n, c): (n, width), 0 where ``index`` is -1."""
        out = x.new_zeros(len(x), width)
        chosen = torch.nonzero(index >= 0)[:, 0]
        mine, order = torch.sort(index[chosen])
        chosen = chosen[order]
        networks, counts = torch.unique_consecutive(mine, return_counts=True)
        if not len(networks):
            return out
        blocks = (counts + BLOCK - 1) // BLOCK
        shift = (torch.cumsum(blocks, 0) - blocks) * BLOCK - (torch.cumsum(counts, 0) - counts)
        slot = torch.arange(len(mine), device=x.device) + shift.repeat_interleave(counts)
        padded = x.new_zeros(int(blocks.sum()) * BLOCK, x.shape[1])
        padded[slot] = x[chosen]
        result = function(padded.view(-1, BLOCK, x.shape[1]), networks.repeat_interleave(blocks))
        out[chosen] = result.reshape(-1, width)[slot]
        return out


def encode(x: Tensor, frequencies: int) -> Tensor:
    """The encoding (n, 3 + 6 frequencies) of ``x`` (n, 3): see this module's head."""
    angles = x[..., None] * 2.0 ** torch.arange(frequencies, device=x.device)
    return torch.cat([x[..., None], torch.cos(angles), torch.sin(angles)], -1).flatten(-2)


def _cells(share: Tensor, resolution: Tensor) -> Tensor:
    """Cells (n, 3) of a grid over the unit cube in which points are, or nearest to which they are."""
    cell = (share.clamp(0, 1) * resolution).long()
    return torch.minimum(cell, resolution - 1)


def _layers(weights: dict[str, Tensor], names: list[str], count: int) -> list[Linears]:
    """The layers ``names`` of ``count`` networks; all of them are stored as (inputs, outputs), or all the other way."""
    pairs = []
    for name in names:
        weight, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
        if weight is None or bias is None:
            raise DuplexError(f"layer {name} is missing: a KiloNeRF of another shape than the paper's")
        if (
            weight.ndim != 3
            or bias.ndim != 2
            or not len(weight) == len(bias) == count
            or max(weight.shape[1:]) > MAX_WIDTH
        ):
            raise DuplexError(
                f"layer {name}: weight {tuple(weight.shape)} and bias {tuple(bias.shape)} are not those of "
                f"{count} networks: a box, a grid, or a network of unknown shape"
            )
        pairs.append((weight, bias))
    for axis in (2, 1):
        if all(weight.shape[axis] == bias.shape[1] > 0 for weight, bias in pairs):
            return [Linears(weight if axis == 2 else weight.transpose(1, 2), bias) for weight, bias in pairs]
    raise DuplexError("weights and biases do not fit: a network of unknown shape")


def _frequencies(width: int, name: str) -> int:
    count, rest = divmod(width - 3, 6)
    if rest or not 0 <= count <= MAX_FREQUENCIES:
        raise DuplexError(
            f"{name}: {width} inputs are no positional encoding of 3 coordinates: a network of unknown shape"
        )
    return count


def _check(trunk: list[Linears], heads: tuple[Linears, ...]) -> set[int]:
    """Which layers of the trunk take ``[encoded, hidden]``; raises :class:`DuplexError` where widths do not fit."""
    feature, alpha, views, rgb = heads
    encoded = trunk[0].inputs
    width = trunk[0].inputs
    skips = set()
    for i, layer in enumerate(trunk):
        if i and layer.inputs == width + encoded:
            skips.add(i)
        elif layer.inputs != width:
            raise DuplexError(
                f"pts_linears.{i} takes {layer.inputs} inputs: expected {width}: a network of unknown shape"
            )
        width = layer.outputs
    if (feature.inputs, alpha.inputs, alpha.outputs, rgb.inputs, rgb.outputs) != (width, width, 1, views.outputs, 3):
        raise DuplexError("the layers behind the trunk do not fit: a network of unknown shape")
    return skips
