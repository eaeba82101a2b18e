"""Checkpoints of yenchenlin/nerf-pytorch: ``.tar`` files whose networks are those of the NeRF paper.

Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis", ECCV 2020.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import shown
from duplex.baking.checkpoints import note
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint, read_options
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import (
    MAX_SAMPLES,
    Overrides,
    SceneInfo,
    forward_facing,
    linear,
    numbered,
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
    variant = Variant(density=overrides.activation or "relu")
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    trunk = [linear(weights, name, NAME) for name in numbered(weights, "pts_linears.")]
    if not trunk:
        raise DuplexError("pts_linears.0, 1, ... are missing or not consecutive: a network of unknown shape")
    points = Encoding.fitting(trunk[0].in_features, "pts_linears.0", order)
    if "views_linears.0.weight" not in weights:
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
    kind = options.text("dataset_type", default="llff" if found else "blender")  # llff is the original code's default
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
    if kind != "blender":
        raise DuplexError(f"{path}: a scene of type {shown(kind)}: expected blender or llff")
    return scene
