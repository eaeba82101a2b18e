"""Checkpoints of jaxnerf (google-research): flax's ``checkpoint_<step>``, a msgpack map of nested parameters."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import MAX_TEXT_BYTES, Checkpoint, read_small_text
from duplex.baking.checkpoints.formats.plain_yaml import scalar
from duplex.baking.checkpoints.tree import MAX_WEIGHTS, MEND, CheckpointNode
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import (
    ACTIVATIONS,
    MAX_DISTANCE,
    MAX_SAMPLES,
    Overrides,
    SceneInfo,
    forward_facing,
    linear,
    of_unknown_type,
    spherified,
    width_of,
)
from duplex.baking.fields.mlp import Layers, NerfMlp, Variant

NAME = "jaxnerf"
WRAPPERS = ("optimizer", "target", "params")  # around the networks, any of them, as flax's versions had it
CHUNKED = "__msgpack_chunked_array__"
OPTION = re.compile(r"^[ \t]*(?:[\w.]*\.)?(\w+)[ \t]*[:=][ \t]*[\"']?([\w.+-]+)", re.MULTILINE)
MAX_CONFIGS = 16
MAX_LAYERS = 100
MAX_SIDES = 8
MAX_WRAPPERS = 5
MAX_FACTOR = 1000
NUMBERS = ("near", "far", "num_coarse_samples", "num_fine_samples", "factor")
FLAGS = ("legacy_posenc_order", "tf_posenc_order", "white_bkgd", "spherify", "use_pixel_centers")
OPTIONS = ("dataset", "sigma_activation", *NUMBERS, *FLAGS)


class JaxNerfFamily(Family):
    """Flax's parameters of jaxnerf's networks."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint holds flax's parameters of a network ``MLP_0`` made of layers ``Dense_0``, ..."""
        return checkpoint.kind == "msgpack" and _networks(checkpoint.root).at("MLP_0", "Dense_0").is_object

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from a configuration beside the checkpoint."""
        options = _options(checkpoint.path.parent)
        scene = _scene(options, overrides)
        told = [name for name in ("legacy_posenc_order", "tf_posenc_order") if name in options]
        order = overrides.encoding or ("ftd" if told and options.flag(told[0]) else "tfd")
        if overrides.encoding is None and not told:
            assumed = "encoding order tfd, as no configuration beside it says legacy_posenc_order (--encoding ftd)"
            scene = replace(scene, assumed=(*scene.assumed, assumed))
        density = overrides.activation or options.text("sigma_activation", ACTIVATIONS, "relu")
        networks = _networks(checkpoint.root)
        found = [networks.at(name) for name in ("MLP_0", "MLP_1") if networks.at(name).is_object]
        fields = [network(_state(layers), order, density) for layers in found]
        return LoadedFields(fields[0], fields[-1], scene)


def network(weights: dict[str, Tensor], order: str, density: str) -> NerfMlp:
    """The field of one network; the layer with one output is the density's and ends the trunk.

    Skips with the hidden layer first; ``order`` of both encodings; ``density``: a name of an activation.
    """
    names = [f"Dense_{i}" for i in range(len(weights) // 2)]
    dense = [linear(weights, name, NAME) for name in names]
    depth = next((i for i, layer in enumerate(dense) if layer.out_features == 1), 0)
    if not 0 < depth < len(dense) - 1:
        raise DuplexError(f"{len(dense)} layers, none of them a density after a trunk: a network of unknown shape")
    if dense[0].in_features % 6 == 0:
        raise DuplexError(
            f"its input is {dense[0].in_features} wide, an integrated positional encoding as mip-NeRF has it, which "
            "has no value at a point: expected a network of jaxnerf, whose encoding holds the point itself"
        )
    points = Encoding.fitting(dense[0].in_features, "Dense_0", order)
    variant = Variant(skip_input_first=False, density=density)
    if depth == len(dense) - 2:
        return NerfMlp(Layers(dense[:depth], output=_joined(dense[-1], dense[depth])), variant, points, None)
    feature = dense[depth + 1]
    name = names[depth + 2]
    directions = Encoding.fitting(width_of(weights, name) - feature.out_features, name, order)
    layers = Layers(dense[:depth], dense[depth], feature, dense[depth + 2 : -1], dense[-1])
    return NerfMlp(layers, variant, points, directions)


def _joined(rgb: nn.Linear, sigma: nn.Linear) -> nn.Linear:
    """One layer that gives red, green, blue, density."""
    if rgb.out_features != 3 or rgb.in_features != sigma.in_features:
        raise DuplexError("the colour and density layers do not fit: a network of unknown shape")
    layer = nn.Linear(rgb.in_features, 4)
    layer.weight.data.copy_(torch.cat([rgb.weight, sigma.weight]))
    layer.bias.data.copy_(torch.cat([rgb.bias, sigma.bias]))
    return layer.requires_grad_(False)


def _networks(root: CheckpointNode) -> CheckpointNode:
    """The map that holds ``MLP_0``, inside flax's wrappers; the innermost wrapper without it."""
    place = root
    for _ in range(MAX_WRAPPERS):
        wrapper = next((key for key in WRAPPERS if key in place), None)
        if wrapper is None or "MLP_0" in place:
            break
        place = place.at(wrapper)
    return place


def _state(layers: CheckpointNode) -> dict[str, Tensor]:
    """Kernels (in, out) and biases of ``Dense_0``, ``Dense_1``, ... as torch's weights (out, in) and biases."""
    count = len(layers.names())
    if count > MAX_LAYERS:
        raise DuplexError(f"{layers.name} holds {count} layers: expected at most {MAX_LAYERS}: an unknown network")
    state = {}
    for name in (f"Dense_{i}" for i in range(count)):
        parts = layers.at(name)
        if not parts.is_object:
            raise DuplexError(f"{parts.name} is missing: a {NAME} network of unknown shape")
        kernel = _array(parts, "kernel")
        state[f"{name}.weight"] = kernel.T if kernel.ndim == 2 else kernel
        state[f"{name}.bias"] = _array(parts, "bias")
    return state


def _array(parts: CheckpointNode, key: str) -> Tensor:
    """An array, reassembled if flax has split it because of its size (flax.serialization)."""
    node = parts.at(key)
    if CHUNKED not in node:
        return parts.tensor(key)
    sides = node.at("shape")
    if not 1 <= len(sides.names()) <= MAX_SIDES:
        raise DuplexError(f"{node.name} is a chunked array without a shape: a damaged file; copy it again")
    shape = [sides.whole(str(i), 1, MAX_WEIGHTS) for i in range(len(sides.names()))]
    pieces = node.at("chunks").tensors()
    numbers = [pieces[name] for name in map(str, range(len(pieces))) if name in pieces]
    if len(numbers) != len(pieces) or math.prod(shape) != sum(piece.numel() for piece in numbers):
        raise DuplexError(
            f"{node.name} is a chunked array whose pieces do not make its shape {tuple(shape)}: a damaged file; "
            "copy it again"
        )
    return torch.cat([piece.reshape(-1) for piece in numbers]).reshape(shape)


def _options(folder: Path) -> CheckpointNode:
    """``key: value`` and ``key = value`` lines of the configurations beside a checkpoint, in lower case."""
    options: dict[str, object] = {}
    files = sorted(f for f in folder.iterdir() if f.suffix in (".yaml", ".yml", ".gin", ".txt") and f.is_file())
    left = MAX_TEXT_BYTES
    for file in files[:MAX_CONFIGS]:
        left -= file.stat().st_size
        if left < 0:
            break
        found = OPTION.finditer(read_small_text(file))
        options |= {line[1]: scalar(line[2].lower()) for line in found if line[1] in OPTIONS}
    return CheckpointNode(options, f"{folder}: its configuration", remedy=MEND)


def _scene(options: CheckpointNode, overrides: Overrides) -> SceneInfo:
    """The scene from the options, with jaxnerf's defaults."""
    assumed = "near 2, far 6, white background, 64 + 128 samples, as no configuration is beside it"
    kind = options.text("dataset", default="blender")
    llff = kind == "llff"
    white = options.flag("white_bkgd", True) and not llff
    scene = SceneInfo(
        near=options.number("near", 0, MAX_DISTANCE, 2),
        far=options.number("far", 0, MAX_DISTANCE, 6),
        background=(1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0),
        coarse_samples=options.whole("num_coarse_samples", 4, MAX_SAMPLES, 64),
        fine_samples=options.whole("num_fine_samples", 0, MAX_SAMPLES, 128),
        principal_shift=0.5 / (400 if options.number("factor", 0, MAX_FACTOR, 0) == 2 else 800),
        assumed=() if "dataset" in options else (f"{assumed} (--near, --far, --background, --samples)",),
    )
    if llff and options.flag("spherify", False):
        told = (scene.near, scene.far) if "near" in options and "far" in options else None
        scene = spherified(scene, overrides, told)
    elif llff:
        scene = forward_facing(scene, overrides, ndc=True)
    elif kind != "blender":
        scene = of_unknown_type(scene, kind)
    return replace(scene, principal_shift=0.0) if options.flag("use_pixel_centers", False) else scene
