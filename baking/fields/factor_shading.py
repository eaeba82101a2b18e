"""How TensoRF turns the features of its grids into colour (Chen et al., ECCV 2022, section 4.3 and its code)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.spherical_harmonics import spherical_harmonics

SHADINGS = ("MLP_Fea", "MLP_PE", "MLP", "SH", "RGB")


@dataclass(frozen=True)
class Traits:
    """The settings of a factorised field, without its weights.

    ``shading``: ``MLP_Fea``, ``MLP_PE``, ``MLP``, ``SH`` or ``RGB``; ``views``, ``features``, ``points``: frequencies
    of the encodings of viewing direction, features and position; ``activation``: a name in
    :data:`~duplex.baking.fields.field.ACTIVATIONS`, of the feature plus ``shift`` (``relu``: of the feature alone);
    ``scale``: factor between the activation and the density per world unit; ``order``: of the encodings' columns.
    """

    shading: str = "MLP_Fea"
    views: int = 2
    features: int = 2
    points: int = 6
    activation: str = "softplus"
    shift: float = -10.0
    scale: float = 25.0
    order: str = "tdf"


class Shading(nn.Module):
    """Radiance of features: a small network, spherical harmonics of degree 2, or the features themselves.

    ``layers``: those of the network, ReLU between them; none for ``SH`` and ``RGB``.
    """

    def __init__(self, traits: Traits, layers: list[nn.Linear]):
        super().__init__()
        self.mode = traits.shading
        self.encodings = {
            name: Encoding.powers(count, traits.order, "none")
            for name, count in (("views", traits.views), ("features", traits.features), ("points", traits.points))
        }
        if layers:
            first, *others = layers
            self.mlp = nn.Sequential(first, *(part for layer in others for part in (nn.ReLU(inplace=True), layer)))

    @staticmethod
    def width(traits: Traits, channels: int) -> int:
        """Inputs of the network's first layer for ``channels`` features."""
        second = {"MLP_Fea": channels * traits.features, "MLP_PE": 3 * traits.points, "MLP": 0}[traits.shading]
        return channels + 3 + 2 * second + 6 * traits.views

    def forward(self, points: Tensor, directions: Tensor, features: Tensor) -> Tensor:
        """Radiance (n, 3) in [0, 1]; ``points`` (n, 3) in [-1, 1] of the box, unit ``directions`` (n, 3)."""
        if self.mode == "RGB":
            return features.clamp(0, 1)
        if self.mode == "SH":
            basis = spherical_harmonics(directions, 9)[:, None]
            return torch.relu((basis * features.view(-1, 3, 9)).sum(-1) + 0.5).clamp(max=1)
        parts = [features, directions]
        if self.mode == "MLP_Fea":
            parts.append(self.encodings["features"](features))
        elif self.mode == "MLP_PE":
            parts.append(self.encodings["points"](points))
        parts.append(self.encodings["views"](directions))
        return torch.sigmoid(self.mlp(torch.cat(parts, -1)))
