"""Checkpoints of yenchenlin/nerf-pytorch: ``.tar`` files whose networks are those of the NeRF paper.

Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis", ECCV 2020.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints import note
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint, read_options
from duplex.baking.checkpoints.tree import CheckpointNode
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import (
    MAX_DISTANCE,
    MAX_SAMPLES,
    Overrides,
    SceneInfo,
    forward_facing,
    linear,
    numbered,
    of_unknown_type,
    spherified,
    width_of,
)
from duplex.baking.fields.mlp import Layers, NerfMlp, Variant

NAME = "nerf-pytorch"
COARSE, FINE = "network_fn_state_dict", "network_fine_state_dict"


class NerfPytorchFamily(Family):
    """Checkpoints with the members of yenchenlin/nerf-pytorch."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members."""
        return checkpoint.kind == "torch" and COARSE in checkpoint.root

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from ``args.txt`` beside it."""
        root = checkpoint.root
        coarse = network(root.at(COARSE).tensors(), overrides)
        fine = network(root.at(FINE).tensors(), overrides) if root.at(FINE).is_filled else coarse
        if note.MEMBER in root:
            return LoadedFields(coarse, fine, note.read(root.at(note.MEMBER), SceneInfo()))
        return LoadedFields(coarse, fine, scene_of(checkpoint.path, overrides))


def network(weights: dict[str, Tensor], overrides: Overrides) -> NerfMlp:
    """The field of one state dict: skips with the encoded position first, a feature layer without activation."""
    order = overrides.encoding or "ftd"
    variant = Variant(overrides.skip_order != "hidden-first", density=overrides.activation or "relu")
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    trunk = [linear(weights, name, NAME) for name in numbered(weights, "pts_linears.")]
    if not trunk:
        raise DuplexError("pts_linears.0, 1, ... are missing or not consecutive: a network of unknown shape")
    points = Encoding.fitting(trunk[0].in_features, "pts_linears.0", order)
    if "output_linear.weight" in weights:  # without viewing directions, although the code makes views_linears then, too
        output = linear(weights, "output_linear", NAME)
        if output.out_features not in (4, 5):  # the original code makes a fifth that it never reads
            raise DuplexError(f"layer output_linear gives {output.out_features} outputs: expected 4 or 5")
        return NerfMlp(Layers(trunk, output=output), variant, points, None)
    feature = linear(weights, "feature_linear", NAME)
    directions = Encoding.fitting(width_of(weights, "views_linears.0") - feature.out_features, "views_linears.0", order)
    layers = Layers(
        trunk,
        linear(weights, "alpha_linear", NAME, None, 1),
        feature,
        [linear(weights, "views_linears.0", NAME)],
        linear(weights, "rgb_linear", NAME, None, 3),
    )
    return NerfMlp(layers, variant, points, directions)


def scene_of(path: Path, overrides: Overrides) -> SceneInfo:
    """The scene from ``config.txt`` and ``args.txt`` beside ``path``, for the original TensorFlow code too."""
    options = read_options(path.parent)
    found = bool(options.names())
    kind = options.text("dataset_type", default="llff" if found else "blender").lower()  # llff is the code's default
    half = options.flag("half_res", False)
    white = options.flag("white_bkgd", not found)
    scene = SceneInfo(
        background=(1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0),
        coarse_samples=options.whole("N_samples", 4, MAX_SAMPLES, 64),
        fine_samples=options.whole("N_importance", 0, MAX_SAMPLES, 0 if found else 128),
        principal_shift=0.5 / (400 if half else 800),
        assumed=() if found else ("near 2, far 6, white background, 64 + 128 samples: no args.txt beside it",),
    )
    if kind == "llff" and options.flag("spherify", False):
        return spherified(scene, overrides)
    if kind == "llff":
        return forward_facing(scene, overrides, ndc=not options.flag("no_ndc", False))
    return scene if kind == "blender" else of_unknown_type(_with_depths(scene, kind, options, overrides), kind)


def _with_depths(scene: SceneInfo, kind: str, options: CheckpointNode, overrides: Overrides) -> SceneInfo:
    """``scene`` with near and far as ``args.txt`` has them, or as the code takes them from DeepVoxels' hemisphere."""
    near, far = scene.near, scene.far
    if kind == "deepvoxels" and overrides.poses is not None:
        radius = float(np.linalg.norm(overrides.poses[:, :3, 3], axis=1).mean())
        near, far = max(radius - 1, 0), radius + 1
    return replace(
        scene,
        near=options.number("near", 0, MAX_DISTANCE, near),
        far=options.number("far", 0, MAX_DISTANCE, far),
    )
