"""The network of the NeRF paper (Mildenhall et al., ECCV 2020, figure 7) with the variants of all code bases.

A family's module gives the names of the layers and the variant; the evaluation is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import ACTIVATIONS, RadianceField, linear


@dataclass(frozen=True)
class Variant:
    """The differences between code bases.

    ``skip_input_first``: a skip's layer takes ``[encoded, hidden]``, not ``[hidden, encoded]``;
    ``first_is_linear``: no ReLU behind the first layer; ``feature_relu``: a ReLU behind the feature layer;
    ``views_first``: the first view layer takes ``[direction, feature]``, not ``[feature, direction]``;
    ``density``: a name in :data:`~duplex.baking.fields.field.ACTIVATIONS`.
    """

    skip_input_first: bool = True
    first_is_linear: bool = False
    feature_relu: bool = False
    views_first: bool = False
    density: str = "relu"


@dataclass(frozen=True)
class Layers:
    """The layers of a network. ``trunk``: a layer wider by the encoding than its predecessor's output is a skip.

    ``alpha``: to one density; ``feature``: to what the view layers take, None where they take the trunk's output;
    ``views``: hidden layers on feature and encoded direction; ``rgb``: to three colours. A network without
    viewing directions may have only ``trunk`` and ``output``: red, green, blue, density, and whatever is never read.
    """

    trunk: Sequence[nn.Linear]
    alpha: nn.Linear | None = None
    feature: nn.Linear | None = None
    views: Sequence[nn.Linear] = ()
    rgb: nn.Linear | None = None
    output: nn.Linear | None = None


class NerfMlp(RadianceField):
    """``layers`` wired as ``variant`` says; ``points`` and ``directions`` encode positions and viewing directions."""

    def __init__(self, layers: Layers, variant: Variant, points: Encoding, directions: Encoding | None):
        super().__init__()
        self.variant = variant
        self.points = points
        self.directions = directions
        self.trunk = nn.ModuleList(layers.trunk)
        self.views = nn.ModuleList(layers.views)
        self.alpha = layers.alpha
        self.feature = layers.feature
        self.rgb = layers.rgb
        self.output = layers.output
        encoded = points.width()
        width = points.width()
        self.skips = set()
        for i, layer in enumerate(layers.trunk):
            if i and layer.in_features == width + encoded:
                self.skips.add(i)
            elif layer.in_features != width:
                raise DuplexError(
                    f"trunk layer {i} takes {layer.in_features} inputs: expected {width}, or {width + encoded} "
                    "at a skip: a network of unknown shape"
                )
            width = layer.out_features
        self._check_heads(layers, width)

    def _check_heads(self, layers: Layers, width: int) -> None:
        if layers.output is not None:
            _expect(layers.output, "output", width, None)
            if layers.output.out_features < 4:
                raise DuplexError(f"the output layer gives {layers.output.out_features} values: expected 4 or more")
            return
        if layers.alpha is None or layers.rgb is None:
            raise DuplexError("layers for density or colour are missing: a network of unknown shape")
        _expect(layers.alpha, "density", width, 1)
        if layers.feature is not None:
            _expect(layers.feature, "feature", width, None)
            width = layers.feature.out_features
        width += self.directions.width() if self.directions else 0
        for i, layer in enumerate(layers.views):
            _expect(layer, f"view layer {i}", width, None)
            width = layer.out_features
        _expect(layers.rgb, "colour", width, 3)

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        encoded = self.points(points)
        h = encoded
        for i, layer in enumerate(self.trunk):
            if i in self.skips:
                h = torch.cat([encoded, h] if self.variant.skip_input_first else [h, encoded], -1)
            h = layer(h)
            if i or not self.variant.first_is_linear:
                h = torch.relu_(h)
        activation = ACTIVATIONS[self.variant.density]
        if self.output is not None:
            raw = self.output(h)
            return activation(raw[:, 3]), raw[:, :3]
        assert self.alpha is not None
        return activation(self.alpha(h)[:, 0]), h

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        if self.output is not None:
            return torch.sigmoid(latent)
        assert self.rgb is not None
        h = latent if self.feature is None else self.feature(latent)
        if self.variant.feature_relu:
            h = torch.relu(h)
        if self.directions is not None:
            encoded = self.directions(directions)
            h = torch.cat([encoded, h] if self.variant.views_first else [h, encoded], -1)
        for layer in self.views:
            h = torch.relu_(layer(h))
        return torch.sigmoid(self.rgb(h))

    def describe(self) -> dict[str, str]:  # noqa: D102
        skips = f", skip into layer {', '.join(map(str, sorted(self.skips)))}" if self.skips else ", no skip"
        return {
            "network": f"{len(self.trunk)} layers of {self.trunk[0].out_features}{skips}",
            "encoding": self.points.describe(),
            "view encoding": self.directions.describe()
            if self.directions
            else "none: colour is the same from everywhere",
            "density": self.variant.density,
        }


class Perceptron(nn.Sequential):
    """Linear layers with a ReLU after each but the last.

    ``inputs``, ``hidden``, ``outputs``: widths of what it takes, of its first layer, of what it gives; ``depth``: how
    many layers.
    """

    inputs: int
    hidden: int
    outputs: int
    depth: int

    def __init__(self, layers: Sequence[nn.Linear]):
        parts: list[nn.Module] = []
        for layer in layers:
            parts += [layer, nn.ReLU()]
        super().__init__(*parts[:-1])
        self.inputs = layers[0].in_features
        self.hidden = layers[0].out_features
        self.outputs = layers[-1].out_features
        self.depth = len(layers)

    @classmethod
    def read(
        cls, weights: dict[str, Tensor], names: Sequence[str], family: str, inputs: int, outputs: int | None = None
    ) -> Perceptron:
        """The layers ``names`` of a state dict; raises :class:`DuplexError` where one is missing or does not fit."""
        layers = []
        for name in names:
            layers.append(linear(weights, name, family, inputs, outputs if name == names[-1] else None))
            inputs = layers[-1].out_features
        return cls(layers)


def _expect(layer: nn.Linear, name: str, inputs: int, outputs: int | None) -> None:
    """Raise :class:`DuplexError` where a layer's widths do not fit its neighbours'."""
    if layer.in_features != inputs:
        raise DuplexError(
            f"the {name} layer takes {layer.in_features} inputs where {inputs} come: a network of unknown shape"
        )
    if outputs is not None and layer.out_features != outputs:
        raise DuplexError(
            f"the {name} layer gives {layer.out_features} outputs: expected {outputs}: a network of unknown shape"
        )
