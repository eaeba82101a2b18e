"""Checkpoints of krrish94/nerf-pytorch (``FlexibleNeRFModel``).

The ``config.yml`` beside such a checkpoint often describes another network than the one that was trained, so
only its scene and sample counts are believed; every width comes from the tensors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from duplex.app.errors import DuplexError
from duplex.baking.teachers.field import (
    RadianceField,
    SceneInfo,
    frequencies_of,
    linear,
    positional_encoding,
    width_of,
)
from duplex.baking.teachers.files import read_small_text

FAMILY = "nerf-pytorch-flexible"
COARSE, FINE = "model_coarse_state_dict", "model_fine_state_dict"


def matches(checkpoint: dict[str, Any]) -> bool:
    """Whether a loaded checkpoint has this family's members."""
    return COARSE in checkpoint


class FlexibleField(RadianceField):
    """First layer without activation, trunk with skips (hidden first), ReLU on the feature layer."""

    def __init__(self, weights: dict[str, Tensor]):
        super().__init__()
        first = linear(weights, "layer1", FAMILY)
        encoded, width = first.in_features, first.out_features
        self.point_frequencies = frequencies_of(encoded, 3, "layer1")
        self.first, self.trunk, self.skips = first, nn.ModuleList(), set()
        for i in range(64):
            if f"layers_xyz.{i}.weight" not in weights:
                break
            if width_of(weights, f"layers_xyz.{i}") == encoded + width:
                self.skips.add(i)
            self.trunk.append(linear(weights, f"layers_xyz.{i}", FAMILY, width + encoded * (i in self.skips)))
        self.has_views = "fc_feat.weight" in weights
        if self.has_views:
            self.feature = linear(weights, "fc_feat", FAMILY, width)
            self.alpha = linear(weights, "fc_alpha", FAMILY, width, 1)
            view = linear(weights, "layers_dir.0", FAMILY)
            self.view_frequencies = frequencies_of(view.in_features - self.feature.out_features, 3, "layers_dir.0")
            self.views = nn.ModuleList([view])
            while f"layers_dir.{len(self.views)}.weight" in weights:
                view = linear(weights, f"layers_dir.{len(self.views)}", FAMILY, view.out_features)
                self.views.append(view)
            self.rgb = linear(weights, "fc_rgb", FAMILY, view.out_features, 3)
        else:
            self.output = linear(weights, "fc_out", FAMILY, width, 4)

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        encoded = positional_encoding(points, self.point_frequencies)
        h = self.first(encoded)
        for i, layer in enumerate(self.trunk):
            h = torch.relu_(layer(torch.cat([h, encoded], -1) if i in self.skips else h))
        if not self.has_views:
            raw = self.output(h)
            return torch.relu(raw[:, 3]), raw[:, :3]
        return torch.relu(self.alpha(h)[:, 0]), h

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        if not self.has_views:
            return torch.sigmoid(latent)
        encoded = positional_encoding(directions, self.view_frequencies)
        h = torch.cat([torch.relu_(self.feature(latent)), encoded], -1)
        for layer in self.views:
            h = torch.relu_(layer(h))
        return torch.sigmoid(self.rgb(h))


def load(checkpoint: dict[str, Any], path: Path) -> tuple[RadianceField, RadianceField, SceneInfo]:
    """Coarse and fine networks and the scene of a loaded checkpoint (``path``: for its sibling ``config.yml``)."""
    coarse = FlexibleField(checkpoint[COARSE])
    fine = FlexibleField(checkpoint[FINE]) if checkpoint.get(FINE) else coarse
    return coarse, fine, _scene(path)


def _scene(path: Path) -> SceneInfo:
    file = path.parent / "config.yml"
    text = read_small_text(file)
    if not text:
        return SceneInfo(assumed=("near 2, far 6, white background, 64 + 128 samples: no config.yml beside it",))
    try:
        config = yaml.safe_load(text)
        dataset = config["dataset"]
        if dataset.get("type", "blender") != "blender":
            raise DuplexError(
                f"{path}: a scene of type {dataset['type']}: this version bakes Blender-style scenes only"
            )
        samples = config["nerf"]["validation"]
        return SceneInfo(
            near=float(dataset["near"]),
            far=float(dataset["far"]),
            background=(1.0, 1.0, 1.0) if samples.get("white_background") else (0.0, 0.0, 0.0),
            coarse_samples=int(samples["num_coarse"]),
            fine_samples=int(samples["num_fine"]),
            principal_shift=0.5 / (400 if dataset.get("half_res") else 800),
        )
    except DuplexError as error:
        raise error if str(path) in str(error) else DuplexError(f"{file}: {error}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise DuplexError(
            f"{file}: not a nerf-pytorch configuration ({type(error).__name__}: {' '.join(str(error).split())[:120]}): "
            "mend it or move it away to bake with the defaults"
        ) from None
