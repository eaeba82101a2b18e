"""Checkpoints of yenchenlin/nerf-pytorch: ``.tar`` files whose networks are those of the NeRF paper.

Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis", ECCV 2020.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
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

FAMILY = "nerf-pytorch"
COARSE, FINE = "network_fn_state_dict", "network_fine_state_dict"


def matches(checkpoint: dict[str, Any]) -> bool:
    """Whether a loaded checkpoint has this family's members."""
    return COARSE in checkpoint


class NerfPytorchField(RadianceField):
    """Trunk with one skip (input first, before the layer that is wider), feature, view layer."""

    def __init__(self, weights: dict[str, Tensor]):
        super().__init__()
        weights = {key.removeprefix("module."): value for key, value in weights.items()}
        names = sorted(
            (k[:-7] for k in weights if k.startswith("pts_linears.") and k.endswith(".weight")),
            key=lambda name: int(name.rsplit(".", 1)[1]) if name.rsplit(".", 1)[1].isdecimal() else -1,
        )
        if not names or names != [f"pts_linears.{i}" for i in range(len(names))]:
            raise DuplexError("pts_linears.0, 1, ... are missing or not consecutive: a network of unknown shape")
        first = linear(weights, names[0], FAMILY)
        encoded, width = first.in_features, first.out_features
        self.point_frequencies = frequencies_of(encoded, 3, names[0])
        self.trunk, self.skips = nn.ModuleList([first]), set()
        for i, name in enumerate(names[1:], 1):
            if width_of(weights, name) == encoded + width:
                self.skips.add(i)
            self.trunk.append(linear(weights, name, FAMILY, width + encoded * (i in self.skips)))
        self.has_views = "views_linears.0.weight" in weights
        if self.has_views:
            self.feature = linear(weights, "feature_linear", FAMILY, width)
            self.alpha = linear(weights, "alpha_linear", FAMILY, width, 1)
            self.views = linear(weights, "views_linears.0", FAMILY)
            self.view_frequencies = frequencies_of(
                self.views.in_features - self.feature.out_features, 3, "views_linears.0"
            )
            self.rgb = linear(weights, "rgb_linear", FAMILY, self.views.out_features, 3)
        else:
            self.output = linear(weights, "output_linear", FAMILY, width)
            if self.output.out_features not in (4, 5):  # the original code makes a fifth that it never reads
                raise DuplexError(f"layer output_linear gives {self.output.out_features} outputs: expected 4 or 5")

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        encoded = positional_encoding(points, self.point_frequencies)
        h = encoded
        for i, layer in enumerate(self.trunk):
            h = torch.relu_(layer(torch.cat([encoded, h], -1) if i in self.skips else h))
        if not self.has_views:
            raw = self.output(h)
            return torch.relu(raw[:, 3]), raw[:, :3]
        return torch.relu(self.alpha(h)[:, 0]), h

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        if not self.has_views:
            return torch.sigmoid(latent)
        encoded = positional_encoding(directions, self.view_frequencies)
        h = torch.relu_(self.views(torch.cat([self.feature(latent), encoded], -1)))
        return torch.sigmoid(self.rgb(h))


def load(checkpoint: dict[str, Any], path: Path) -> tuple[RadianceField, RadianceField, SceneInfo]:
    """Coarse and fine networks and the scene of a loaded checkpoint (``path``: for its sibling ``args.txt``)."""
    coarse = NerfPytorchField(checkpoint[COARSE])
    fine = NerfPytorchField(checkpoint[FINE]) if checkpoint.get(FINE) else coarse
    return coarse, fine, _scene(path)


def _scene(path: Path) -> SceneInfo:
    options: dict[str, str] = {}
    for name in ("config.txt", "args.txt"):
        for line in read_small_text(path.parent / name).splitlines():
            key, equals, value = line.partition("=")
            if equals:
                options[key.strip()] = value.strip()
    kind = options.get("dataset_type", "blender")
    if kind != "blender":
        raise DuplexError(f"{path}: a scene of type {kind}: this version bakes Blender-style scenes only")
    assumed = () if options else ("near 2, far 6, white background, 64 + 128 samples: no args.txt beside it",)
    white = options.get("white_bkgd", "True") == "True"
    try:
        return SceneInfo(
            background=(1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0),
            coarse_samples=int(options.get("N_samples", 64)),
            fine_samples=int(options.get("N_importance", 128)),
            principal_shift=0.5 / (400 if options.get("half_res") == "True" else 800),
            assumed=assumed,
        )
    except DuplexError as error:
        raise DuplexError(f"{path.parent / 'args.txt'}: {error}") from None
    except ValueError as error:
        raise DuplexError(f"{path.parent / 'args.txt'}: {error}: expected whole numbers of samples") from None
