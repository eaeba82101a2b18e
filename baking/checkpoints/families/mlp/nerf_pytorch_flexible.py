"""Checkpoints of krrish94/nerf-pytorch (``FlexibleNeRFModel``).

The ``config.yml`` beside such a checkpoint often describes another network than the one that was trained, so
only its scene and sample counts are believed; every width comes from the tensors.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint, read_small_text
from duplex.baking.checkpoints.plain_yaml import plain_yaml
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import (
    Overrides,
    SceneInfo,
    forward_facing,
    linear,
    numbered,
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
        return checkpoint.kind == "torch" and COARSE in checkpoint.content

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from ``config.yml`` beside it."""
        coarse = network(checkpoint.tensors(COARSE), overrides)
        fine = network(checkpoint.tensors(FINE), overrides) if checkpoint.content.get(FINE) else coarse
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
    file = path.parent / "config.yml"
    text = read_small_text(file)
    if not text:
        return SceneInfo(assumed=("near 2, far 6, white background, 64 + 128 samples: no config.yml beside it",))
    try:
        config = plain_yaml(text)
        dataset = config["dataset"]
        kind = dataset.get("type", "blender")
        if kind not in ("blender", "llff"):
            raise DuplexError(f"{path}: a scene of type {kind}: expected blender or llff")
        samples = config["nerf"]["validation"]
        scene = SceneInfo(
            near=float(dataset["near"]),
            far=float(dataset["far"]),
            background=(1.0, 1.0, 1.0) if samples.get("white_background") else (0.0, 0.0, 0.0),
            coarse_samples=int(samples["num_coarse"]),
            fine_samples=int(samples["num_fine"]),
            principal_shift=0.5 / (400 if dataset.get("half_res") else 800),
        )
        return forward_facing(scene, overrides, ndc=not dataset.get("no_ndc")) if kind == "llff" else scene
    except DuplexError as error:
        raise error if str(path) in str(error) else DuplexError(f"{file}: {error}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise DuplexError(
            f"{file}: not a nerf-pytorch configuration ({type(error).__name__}: {' '.join(str(error).split())[:120]}): "
            "mend it or move it away to bake with the defaults"
        ) from None
