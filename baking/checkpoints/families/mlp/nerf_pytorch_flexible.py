"""Checkpoints of krrish94/nerf-pytorch (``FlexibleNeRFModel``).

The ``config.yml`` beside such a checkpoint often describes another network than the one that was trained, so
only its scene and sample counts are believed; every width comes from the tensors.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint, yaml_beside
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
    width_of,
)
from duplex.baking.fields.mlp import Layers, NerfMlp, Variant

NAME = "nerf-pytorch-flexible"
COARSE, FINE = "model_coarse_state_dict", "model_fine_state_dict"


class NerfPytorchFlexibleFamily(Family):
    """Checkpoints with the members of krrish94/nerf-pytorch."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members."""
        return checkpoint.kind == "torch" and COARSE in checkpoint.root

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from ``config.yml`` beside it."""
        root = checkpoint.root
        coarse = network(root.at(COARSE).tensors(), overrides)
        fine = network(root.at(FINE).tensors(), overrides) if root.at(FINE).is_filled else coarse
        return LoadedFields(coarse, fine, _scene(checkpoint.path, overrides))


def network(weights: dict[str, Tensor], overrides: Overrides) -> NerfMlp:
    """The field of one state dict: first layer without activation, skips with the hidden first, ReLU on the feature."""
    density, order = overrides.activation or "relu", overrides.encoding or "ftd"
    variant = Variant(skip_input_first=False, first_is_linear=True, feature_relu=True, density=density)
    trunk = [linear(weights, name, NAME) for name in ("layer1", *numbered(weights, "layers_xyz."))]
    points = Encoding.fitting(trunk[0].in_features, "layer1", order)
    if "fc_feat.weight" not in weights:
        return NerfMlp(Layers(trunk, output=linear(weights, "fc_out", NAME, None, 4)), variant, points, None)
    feature = linear(weights, "fc_feat", NAME)
    directions = Encoding.fitting(width_of(weights, "layers_dir.0") - feature.out_features, "layers_dir.0", order)
    layers = Layers(
        trunk,
        linear(weights, "fc_alpha", NAME, None, 1),
        feature,
        [linear(weights, name, NAME) for name in numbered(weights, "layers_dir.")],
        linear(weights, "fc_rgb", NAME, None, 3),
    )
    return NerfMlp(layers, variant, points, directions)


def _scene(path: Path, overrides: Overrides) -> SceneInfo:
    config = yaml_beside(path.parent / "config.yml", "nerf-pytorch")
    if not config.exists:
        return SceneInfo(assumed=("near 2, far 6, white background, 64 + 128 samples: no config.yml beside it",))
    dataset = config.child("dataset")
    kind = dataset.text("type", default="blender")
    samples = config.child("nerf").child("validation")
    scene = SceneInfo(
        near=dataset.number("near", 0, MAX_DISTANCE),
        far=dataset.number("far", 0, MAX_DISTANCE),
        background=(1.0, 1.0, 1.0) if samples.flag("white_background", False) else (0.0, 0.0, 0.0),
        coarse_samples=samples.whole("num_coarse", 4, MAX_SAMPLES),
        fine_samples=samples.whole("num_fine", 0, MAX_SAMPLES),
        principal_shift=0.5 / (400 if dataset.flag("half_res", False) else 800),
    )
    if kind.lower() == "llff":
        return forward_facing(scene, overrides, ndc=not dataset.flag("no_ndc", False))
    return scene if kind.lower() == "blender" else of_unknown_type(scene, kind)
