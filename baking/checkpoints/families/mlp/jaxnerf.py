"""Checkpoints of jaxnerf (google-research): flax's ``checkpoint_<step>``, a msgpack map of nested parameters."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import (
    MAX_TEXT_BYTES,
    MAX_WEIGHTS,
    Checkpoint,
    check_tensors,
    read_small_text,
    tensor_of,
)
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import (
    ACTIVATIONS,
    Overrides,
    SceneInfo,
    forward_facing,
    linear,
    spherified,
    width_of,
)
from duplex.baking.fields.mlp import Layers, NerfMlp, Variant

NAME = "jaxnerf"
WRAPPERS = ("optimizer", "target", "params")  # around the networks, any of them, as flax's versions had it
CHUNKED = "__msgpack_chunked_array__"
OPTION = re.compile(r"^[ \t]*(?:[\w.]*\.)?(\w+)[ \t]*[:=][ \t]*[\"']?([\w.+-]+)", re.MULTILINE)
MAX_CONFIGS = 16


class JaxNerfFamily(Family):
    """Flax's parameters of jaxnerf's networks."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint holds flax's parameters of a network ``MLP_0`` made of layers ``Dense_0``, ..."""
        first = _networks(checkpoint.content).get("MLP_0")
        return checkpoint.kind == "msgpack" and isinstance(first, dict) and isinstance(first.get("Dense_0"), dict)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """Coarse and fine networks, and the scene from a configuration beside the checkpoint."""
        options = _options(checkpoint.path.parent)
        scene = _scene(options, overrides)
        legacy = options.get("legacy_posenc_order", options.get("tf_posenc_order"))
        order = overrides.encoding or ("ftd" if legacy == "true" else "tfd")
        if overrides.encoding is None and legacy is None:
            assumed = "encoding order tfd, as no configuration beside it says legacy_posenc_order (--encoding ftd)"
            scene = replace(scene, assumed=(*scene.assumed, assumed))
        density = overrides.activation or options.get("sigma_activation", "relu")
        if density not in ACTIVATIONS:
            raise DuplexError(
                f"its configuration: sigma_activation {density}: expected one of {', '.join(ACTIVATIONS)}"
            )
        networks = _networks(checkpoint.content)
        found = [name for name in ("MLP_0", "MLP_1") if isinstance(networks.get(name), dict)]
        fields = [network(_state(networks[name], name, checkpoint.path), order, density) for name in found]
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


def _networks(content: dict[str, Any]) -> dict[Any, Any]:
    """The map that holds ``MLP_0``, inside flax's wrappers; empty without it."""
    place: Any = content
    for _ in range(5):
        if not isinstance(place, dict) or "MLP_0" in place:
            break
        place = next((place[key] for key in WRAPPERS if key in place), None)
    return place if isinstance(place, dict) and "MLP_0" in place else {}


def _state(layers: dict[Any, Any], name: str, path: Path) -> dict[str, Tensor]:
    """Kernels (in, out) and biases of ``Dense_0``, ``Dense_1``, ... as torch's weights (out, in) and biases."""
    state = {}
    for i in range(len(layers)):
        parts = layers.get(f"Dense_{i}")
        if not isinstance(parts, dict):
            raise DuplexError(f"{path}: {name}/Dense_{i} is missing: a {NAME} network of unknown shape")
        for flax, ours in (("kernel", "weight"), ("bias", "bias")):
            array = tensor_of(_unchunked(parts.get(flax), path), path, f"{name}/Dense_{i}/{flax}")
            state[f"Dense_{i}.{ours}"] = array.T if array.ndim == 2 else array
    return check_tensors(state, path, name)


def _unchunked(value: Any, path: Path) -> Any:
    """An array, reassembled if flax has split it because of its size (flax.serialization)."""
    if not isinstance(value, dict) or CHUNKED not in value:
        return value
    shape, chunks = (value.get(key) for key in ("shape", "chunks"))
    if isinstance(shape, dict) and isinstance(chunks, dict):
        sides = [side for i in range(len(shape)) if isinstance(side := shape.get(str(i)), int) and side > 0]
        pieces: list[Array] = [c for i in range(len(chunks)) if isinstance(c := chunks.get(str(i)), np.ndarray)]
        size = sum(piece.size for piece in pieces)
        if (len(sides), len(pieces)) == (len(shape), len(chunks)) and 0 < math.prod(sides) == size <= MAX_WEIGHTS:
            return np.concatenate([piece.reshape(-1) for piece in pieces]).reshape(sides)
    raise DuplexError(f"{path}: a chunked array whose pieces do not make its shape: a damaged file; copy it again")


def _options(folder: Path) -> dict[str, str]:
    """``key: value`` and ``key = value`` lines of the configurations beside a checkpoint, in lower case."""
    options: dict[str, str] = {}
    files = sorted(f for f in folder.iterdir() if f.suffix in (".yaml", ".yml", ".gin", ".txt") and f.is_file())
    for file in files[:MAX_CONFIGS]:
        if file.stat().st_size <= MAX_TEXT_BYTES:
            options |= {key: value.lower() for key, value in OPTION.findall(read_small_text(file))}
    return options


def _scene(options: dict[str, str], overrides: Overrides) -> SceneInfo:
    """The scene from the options, with jaxnerf's defaults."""
    assumed = "near 2, far 6, white background, 64 + 128 samples, as no configuration is beside it"
    llff = options.get("dataset") == "llff"
    white = options.get("white_bkgd", "true") == "true" and not llff
    try:
        scene = SceneInfo(
            near=float(options.get("near", 2)),
            far=float(options.get("far", 6)),
            background=(1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0),
            coarse_samples=int(options.get("num_coarse_samples", 64)),
            fine_samples=int(options.get("num_fine_samples", 128)),
            principal_shift=0.5 / (400 if options.get("factor") == "2" else 800),
            assumed=() if "dataset" in options else (f"{assumed} (--near, --far, --background, --samples)",),
        )
    except ValueError as error:
        raise DuplexError(f"its configuration: {error}: expected numbers") from None
    if llff and options.get("spherify") == "true":
        told = (scene.near, scene.far) if "near" in options and "far" in options else None
        scene = spherified(scene, overrides, told)
    elif llff:
        scene = forward_facing(scene, overrides, ndc=True)
    return replace(scene, principal_shift=0.0) if options.get("use_pixel_centers") == "true" else scene
