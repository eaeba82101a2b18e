"""Checkpoints of bmild/nerf, the original TensorFlow code: ``.npy`` lists of Keras weights, a file for each network.

Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis", ECCV 2020. The networks
are those of nerf-pytorch, so they are read as such once the arrays have names and kernels are transposed.
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.families.mlp import nerf_pytorch
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint, read_checkpoint
from duplex.baking.fields.field import Overrides, RadianceField

NAME = "nerf-tensorflow"
HEADS = ("feature_linear", "views_linears.0", "rgb_linear", "alpha_linear")  # as Keras lists them behind the trunk
MAX_LAYERS = 100
FILE_NAME = re.compile(r"model_(fine_)?(\d+)")


class NerfTensorflowFamily(Family):
    """Lists of Keras weights of bmild/nerf."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint is a list of kernels (2-dimensional) and biases (1-dimensional) by turns."""
        shapes = [checkpoint.root.shape(name) for name in checkpoint.root.names()]
        return (
            checkpoint.kind == "npy"
            and len(shapes) >= 4
            and len(shapes) % 2 == 0
            and all(shape is not None and len(shape) == 2 - i % 2 for i, shape in enumerate(shapes))
        )

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, from either of the two files, and the scene from ``args.txt``."""
        given = network(checkpoint, overrides)
        scene = nerf_pytorch.scene_of(checkpoint.path, overrides)
        name = FILE_NAME.fullmatch(checkpoint.path.stem)
        sibling = _sibling(checkpoint.path, name) if name else None
        if name is None or sibling is None:
            return LoadedFields.single(given, scene)
        other = read_checkpoint(sibling)
        if not self.matches(other):
            raise DuplexError(f"{sibling}: no list of Keras kernels and biases: copy the pair of files again")
        sibling_field = network(other, overrides)
        return LoadedFields(sibling_field, given, scene) if name[1] else LoadedFields(given, sibling_field, scene)


def network(checkpoint: Checkpoint, overrides: Overrides) -> RadianceField:
    """The field of one file's arrays: trunk, then the heads, or one output layer if there are no view directions."""
    try:
        return nerf_pytorch.network(_state(checkpoint), overrides)
    except DuplexError as error:
        text = str(error)
        raise DuplexError(text if str(checkpoint.path) in text else f"{checkpoint.path}: {text}") from None


def _state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The arrays under the names that nerf-pytorch gives to the same layers."""
    root = checkpoint.root
    layers = len(root.names()) // 2
    if layers > MAX_LAYERS:
        raise DuplexError(f"{checkpoint.path}: {layers} layers: expected at most {MAX_LAYERS}: an unknown network")
    arrays = [root.tensor(name, (None, None) if i % 2 == 0 else (None,)) for i, name in enumerate(root.names())]
    heads = HEADS if arrays[-1].shape[0] == 1 else ("output_linear",)  # density comes last and alone, or with colour
    names = [*(f"pts_linears.{i}" for i in range(layers - len(heads))), *heads]
    if len(names) != layers or layers == len(heads):
        raise DuplexError(f"{layers} layers: expected a trunk and {len(heads)} more: a network of unknown shape")
    state = {}
    for i, name in enumerate(names):
        state[f"{name}.weight"] = arrays[2 * i].T
        state[f"{name}.bias"] = arrays[2 * i + 1]
    return state


def _sibling(path: Path, name: re.Match[str]) -> Path | None:
    """The other network's file, or None where there is none (one network is then used for both)."""
    other = path.with_name(f"model_{'' if name[1] else 'fine_'}{name[2]}{path.suffix}")
    return other if other.is_file() else None
