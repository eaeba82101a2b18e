"""Checkpoints of nerfstudio's ``vanilla-nerf``: the NeRF paper's networks, but with another encoding and wiring.

Tancik et al., "Nerfstudio: A Modular Framework for Neural Radiance Field Development", SIGGRAPH 2023.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.nerfstudio_run import NerfstudioRun, members, read_run
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import MAX_DISTANCE, MAX_SAMPLES, Overrides, SceneInfo, linear, numbered
from duplex.baking.fields.mlp import Layers, NerfMlp, Variant

NAME = "nerfstudio vanilla-nerf"
COARSE, FINE = "field_coarse.", "field_fine."


class NerfstudioVanillaFamily(Family):
    """Checkpoints of nerfstudio's vanilla-nerf."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint is a nerfstudio pipeline of a coarse field and a fine one."""
        return checkpoint.kind == "torch" and any(name.startswith(COARSE) for name in members(checkpoint))

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from the run's ``config.yml``."""
        run = read_run(checkpoint)
        if run.has("temporal_distortion."):
            raise DuplexError("a scene that moves (temporal_distortion): duplex bakes scenes that stand still")
        coarse, fine = (_network(run, prefix, overrides) for prefix in (COARSE, FINE))
        return LoadedFields(coarse, fine, _scene(run))


def _network(run: NerfstudioRun, prefix: str, overrides: Overrides) -> NerfMlp:
    """One field: skips with the encoded point first, no feature layer, the encoded direction before the trunk's output.

    Density is not read off the trunk before its last ReLU, but behind it.
    """
    weights = {name.removeprefix(prefix): value for name, value in run.under(prefix).items()}
    order = overrides.encoding or "tdf"
    layers = Layers(
        _layers(weights, "mlp_base.layers."),
        linear(weights, "field_output_density.net", NAME, None, 1),
        None,
        _layers(weights, "mlp_head.layers."),
        linear(weights, "field_heads.0.net", NAME, None, 3),
    )
    variant = Variant(views_first=True, density=overrides.activation or "softplus")
    return NerfMlp(layers, variant, _encoding(10, 8.0, order), _encoding(4, 4.0, order))


def _layers(weights: dict[str, Tensor], prefix: str) -> list[torch.nn.Linear]:
    names = numbered(weights, prefix)
    if not names:
        raise DuplexError(f"{prefix}0, 1, ... are missing: a network of unknown shape")
    return [linear(weights, name, NAME) for name in names]


def _encoding(count: int, highest: float, order: str) -> Encoding:
    """Frequencies ``2 pi 2^k``, ``k`` evenly from 0 to ``highest`` (no whole numbers), the coordinates at the end."""
    frequencies = 2 ** torch.linspace(0.0, highest, count)  # in float32, as there
    return Encoding(tuple(2 * math.pi * f for f in frequencies.tolist()), order, "last")


def _scene(run: NerfstudioRun) -> SceneInfo:
    background, assumed = run.background("white")
    if not run.configured:
        assumed = (
            "near 2, far 6, white background, 64 + 128 samples: no config.yml beside it; --near, --far, --background",
        )
    planes = run.model.at("collider_params")
    return SceneInfo(
        near=planes.number("near_plane", 0, MAX_DISTANCE, 2.0),
        far=planes.number("far_plane", 0, MAX_DISTANCE, 6.0),
        background=background,
        coarse_samples=run.model.whole("num_coarse_samples", 4, MAX_SAMPLES, 64),
        fine_samples=run.model.whole("num_importance_samples", 0, MAX_SAMPLES, 128),
        principal_shift=0.0,
        dataset_to_world=run.dataset_to_world,
        assumed=(*assumed, *run.assumed),
    )
