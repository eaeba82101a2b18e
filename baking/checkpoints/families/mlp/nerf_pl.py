"""Checkpoints of kwea123/nerf_pl (branch master): PyTorch Lightning ``.ckpt`` files, or their state dicts alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint, check_tensors
from duplex.baking.checkpoints.pickles import Inert
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import Overrides, SceneInfo, forward_facing, linear, width_of
from duplex.baking.fields.mlp import Layers, NerfMlp, Variant

NAME = "nerf_pl"
STATE_CLASSES = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
)
NETWORKS = ("nerf_coarse.", "nerf_fine.")
TRUNK, FIRST = "xyz_encoding_", "xyz_encoding_1.0.weight"
MAX_PIXELS = 1 << 16


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
        return checkpoint.kind == "torch" and any(prefix + FIRST in _state(checkpoint) for prefix in NETWORKS)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from the checkpoint's hyperparameters."""
        scene = _scene(checkpoint, overrides)
        ndc = overrides.space == "ndc" or (overrides.space is None and scene.space.name == "ndc")
        state = _state(checkpoint)
        fields = []
        for prefix in NETWORKS:
            if prefix + FIRST in state:
                mine = {key.removeprefix(prefix): v for key, v in state.items() if str(key).startswith(prefix)}
                weights = check_tensors(mine, checkpoint.path, prefix.rstrip("."))
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


def _state(checkpoint: Checkpoint) -> dict[Any, Any]:
    """The state dict in a Lightning checkpoint, or the content itself, as the repository's own script strips it."""
    state = checkpoint.content.get("state_dict")
    return state if isinstance(state, dict) else checkpoint.content


def _scene(checkpoint: Checkpoint, overrides: Overrides) -> SceneInfo:
    options = _hyperparameters(checkpoint)
    kind = options.get("dataset_name", "blender")
    if kind not in ("blender", "llff"):
        raise DuplexError(f"a scene of type {str(kind)[:40]}: expected blender or llff")
    white = kind == "blender"
    assumed = "near 2, far 6, a white background, 64 + 128 samples, as it holds no hyperparameters"
    scene = SceneInfo(
        background=(1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0),
        coarse_samples=_count(options.get("N_samples", 64), "N_samples", checkpoint.path),
        fine_samples=_count(options.get("N_importance", 128), "N_importance", checkpoint.path),
        assumed=() if options else (f"{assumed} (--near, --far, --background, --samples say otherwise)",),
    )
    size = options.get("img_wh")
    if kind == "llff":
        return forward_facing(scene, overrides, ndc=not options.get("spheric_poses"), field_views=True)
    if isinstance(size, (list, tuple)) and len(size) == 2:
        height = _count(size[1], "img_wh", checkpoint.path)
        scene = replace(scene, principal_shift=0.5 / max(height, 1))
    return scene


def _hyperparameters(checkpoint: Checkpoint) -> dict[Any, Any]:
    """The command line that Lightning keeps under either of two names, as a dictionary or as a Namespace."""
    for name in ("hyper_parameters", "hparams"):
        options = checkpoint.content.get(name)
        options = options.state if isinstance(options, Inert) else options
        if isinstance(options, dict) and options:
            return options
    return {}


def _count(value: Any, name: str, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_PIXELS:
        raise DuplexError(f"{path}: hyperparameter {name} is {str(value)[:40]}: expected a whole number")
    return value
