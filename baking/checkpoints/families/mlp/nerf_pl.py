"""Checkpoints of kwea123/nerf_pl (branch master): PyTorch Lightning ``.ckpt`` files, or their state dicts alone."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.tree import CheckpointNode
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import (
    MAX_SAMPLES,
    Overrides,
    SceneInfo,
    forward_facing,
    linear,
    of_unknown_type,
    width_of,
)
from duplex.baking.fields.mlp import Layers, NerfMlp, Variant

NAME = "nerf_pl"
STATE_CLASSES = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
)
NETWORKS = ("nerf_coarse.", "nerf_fine.")
TRUNK, FIRST = "xyz_encoding_", "xyz_encoding_1.0.weight"
MAX_PIXELS = 1 << 16
ASSUMED = (
    "near 2, far 6, a white background, 64 + 128 samples, as it holds no hyperparameters "
    "(--near, --far, --background, --samples say otherwise)"
)


class NdcNerfMlp(NerfMlp):
    """A network trained on the unnormalised directions of NDC rays, whose z is 2."""

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        return super().color(latent, directions * (2 / directions[:, 2:].clamp(min=1e-3)))


class NerfPlFamily(Family):
    """Lightning checkpoints and state dicts of kwea123/nerf_pl."""

    name = NAME
    state_classes = STATE_CLASSES

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's layers."""
        return checkpoint.kind == "torch" and any(prefix + FIRST in _state(checkpoint.root) for prefix in NETWORKS)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from the checkpoint's hyperparameters."""
        scene = _scene(_hyperparameters(checkpoint.root), overrides)
        ndc = overrides.space == "ndc" or (overrides.space is None and scene.space.name == "ndc")
        state = _state(checkpoint.root)
        fields = []
        for prefix in NETWORKS:
            if prefix + FIRST in state:
                mine = state.tensors([name for name in state.names() if name.startswith(prefix)])
                weights = {name.removeprefix(prefix): value for name, value in mine.items()}
                fields.append(network(weights, overrides, NdcNerfMlp if ndc else NerfMlp))
        return LoadedFields(fields[0], fields[-1], scene)


def network(weights: dict[str, Tensor], overrides: Overrides, kind: type[NerfMlp] = NerfMlp) -> NerfMlp:
    """The field of one network: skips with the encoded position first, a feature layer without activation."""
    if "static_sigma.0.weight" in weights:
        raise DuplexError("a NeRF-W network of the branch nerfw: expected one of nerf_pl's branch master")
    count = sum(key.startswith(TRUNK) and key.endswith(".0.weight") for key in weights)
    trunk = [linear(weights, f"{TRUNK}{i + 1}.0", NAME) for i in range(count)]
    order = overrides.encoding or "ftd"
    points = Encoding.fitting(trunk[0].in_features, f"{TRUNK}1", order)
    feature = linear(weights, f"{TRUNK}final", NAME)
    directions = Encoding.fitting(width_of(weights, "dir_encoding.0") - feature.out_features, "dir_encoding.0", order)
    layers = Layers(
        trunk,
        linear(weights, "sigma", NAME, None, 1),
        feature,
        [linear(weights, "dir_encoding.0", NAME)],
        linear(weights, "rgb.0", NAME, None, 3),
    )
    return kind(layers, Variant(density=overrides.activation or "relu"), points, directions)


def _state(root: CheckpointNode) -> CheckpointNode:
    """The state dict in a Lightning checkpoint, or the content itself, as the repository's own script strips it."""
    state = root.at("state_dict")
    return state if state.is_object else root


def _scene(options: CheckpointNode | None, overrides: Overrides) -> SceneInfo:
    """The scene that hyperparameters describe; the defaults of nerf_pl without them."""
    if options is None:
        return SceneInfo(assumed=(ASSUMED,))
    kind = options.text("dataset_name", default="blender")
    scene = SceneInfo(
        background=(1.0, 1.0, 1.0) if kind == "blender" else (0.0, 0.0, 0.0),
        coarse_samples=options.whole("N_samples", 4, MAX_SAMPLES, 64),
        fine_samples=options.whole("N_importance", 0, MAX_SAMPLES, 128),
    )
    if kind not in ("blender", "llff"):
        return of_unknown_type(scene, kind)
    if kind == "llff":
        return forward_facing(scene, overrides, ndc=not options.flag("spheric_poses", False), field_views=True)
    if "img_wh" in options:
        height = options.child("img_wh").whole(1, 1, MAX_PIXELS)
        scene = replace(scene, principal_shift=0.5 / height)
    return scene


def _hyperparameters(root: CheckpointNode) -> CheckpointNode | None:
    """The command line that Lightning keeps under either of two names, as a dictionary or as a Namespace."""
    for name in ("hyper_parameters", "hparams"):
        if root.at(name).names():
            return root.at(name)
    return None
