"""State dicts of brandontrabucco/nerf (commit e0b175b), whose every hidden layer ends in a layer norm.

Alphabet: ``e`` the encoding of a position divided by :data:`SCALE`, ``d`` that of a direction; both are
``sin(pi 2^k x)``, then ``cos(pi 2^k x)``, of one coordinate after the other, without the coordinate itself.
Density ``relu(density(h))`` of ``h = block_1([block_0(e), e])``; colour ``sigmoid(color(block_2([h, d])))``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import ACTIVATIONS, Overrides, RadianceField, SceneInfo, linear

NAME = "brandontrabucco/nerf"
SCALE = 6.0  # normalize_position of the repository's example; the constructor's own default is 1
SIGNATURE = ("density.weight", "color.weight", "block_0.2.weight", "block_1.0.weight", "block_2.0.weight")


class Block(nn.Sequential):
    """``name.0`` linear, a ReLU, ``name.2`` layer norm, ``name.3`` linear, a ReLU, ``name.5`` layer norm, and so on.

    ``inputs``, ``outputs``: widths; ``depth``: how many linear layers.
    """

    inputs: int
    outputs: int
    depth: int

    def __init__(self, weights: dict[str, Tensor], name: str):
        layers: list[nn.Module] = []
        linears: list[nn.Linear] = []
        while not layers or f"{name}.{len(layers)}.weight" in weights:
            i = len(layers)
            before = linears[-1].out_features if linears else None
            linears.append(linear(weights, f"{name}.{i}", NAME, before))
            layers += [linears[-1], nn.ReLU(), _norm(weights, f"{name}.{i + 2}", linears[-1].out_features)]
        super().__init__(*layers)
        self.inputs = linears[0].in_features
        self.outputs = linears[-1].out_features
        self.depth = len(linears)


class LayerNormNerf(RadianceField):
    """Three blocks of linear layer, ReLU and layer norm, wired as in the docstring of this module."""

    def __init__(self, weights: dict[str, Tensor], activation: str, order: str):
        super().__init__()
        self.activation = activation
        self.block_0, self.block_1, self.block_2 = (Block(weights, f"block_{i}") for i in range(3))
        self.points = Encoding.fitting(self.block_0.inputs, "block_0.0", order, "none", math.pi)
        views = self.block_2.inputs - self.block_1.outputs
        self.directions = Encoding.fitting(views, "block_2.0", order, "none", math.pi)
        found = self.block_1.inputs
        expected = self.block_0.outputs + self.block_0.inputs
        if found != expected:
            raise DuplexError(f"block_1.0 takes {found} inputs: expected {expected}: a network of unknown shape")
        self.sigma = linear(weights, "density", NAME, self.block_1.outputs, 1)
        self.rgb = linear(weights, "color", NAME, self.block_2.outputs, 3)

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        e = self.points(points / SCALE)
        h = self.block_1(torch.cat([self.block_0(e), e], -1))
        return ACTIVATIONS[self.activation](self.sigma(h)[:, 0]), h

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        h = self.block_2(torch.cat([latent, self.directions(directions)], -1))
        return torch.sigmoid(self.rgb(h))

    def describe(self) -> dict[str, str]:  # noqa: D102
        depths = " + ".join(str(block.depth) for block in (self.block_0, self.block_1, self.block_2))
        return {
            "network": f"{depths} layers of {self.block_0.outputs} with layer norm, skip into the second block",
            "encoding": f"of positions divided by {SCALE:g}: {self.points.describe()}",
            "view encoding": self.directions.describe(),
            "density": self.activation,
        }


class LayerNormFamily(Family):
    """State dicts of brandontrabucco/nerf."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's layers."""
        return checkpoint.kind == "torch" and all(key in checkpoint.root for key in SIGNATURE)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one network, and the scene of the repository's example: black background, 64 samples."""
        field = LayerNormNerf(checkpoint.root.tensors(), overrides.activation or "relu", overrides.encoding or "dtf")
        assumed = (
            "near 2, far 6, black background, 64 + 64 samples (--near, --far, --background, --samples say otherwise)",
            f"positions divided by {SCALE:g}, as in the repository's example",
        )
        scene = SceneInfo(
            background=(0.0, 0.0, 0.0), coarse_samples=64, fine_samples=64, principal_shift=0.0, assumed=assumed
        )
        return LoadedFields.single(field, scene)


def _norm(weights: dict[str, Tensor], name: str, width: int) -> nn.LayerNorm:
    scale, shift = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
    if scale is None or shift is None or {tuple(scale.shape), tuple(shift.shape)} != {(width,)}:
        raise DuplexError(f"{name} is no layer norm of width {width}: a network of unknown shape")
    norm = nn.LayerNorm(width)
    norm.weight.data.copy_(scale)
    norm.bias.data.copy_(shift)
    return norm
