"""Checkpoints of sunset1995/DirectVoxGO: ``.tar`` files of dense voxel grids, with or without a shallow network.

Sun et al., "Direct Voxel Grid Optimization", CVPR 2022. Alphabet: raw density ``d``, interpolated trilinearly, and
its shift ``b``; a step of ``s`` voxels has the opacity ``1 - (1 + exp(d + b))^(-s r)`` where ``r`` is the voxels'
size over a base size ``v``: so the density per unit of length is ``softplus(d + b) / v``. Forward-facing scenes
(DirectMPIGO) take ``D`` planes over the two units of NDC's depth, so that it is ``softplus(d + b) r (D - 1) / 2``,
exactly so for rays straight through the planes: for others the original takes no account of their greater length.
"""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.arrays import Box, box_of
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint, check_tensors, read_small_text, tensor_of
from duplex.baking.fields.encoding import MAX_FREQUENCIES, Encoding
from duplex.baking.fields.field import (
    Overrides,
    SceneInfo,
    forward_facing,
    linear,
    width_of,
)
from duplex.baking.fields.voxel_grid import ColorHead, VoxelGrid, VoxelVolume

NAME = "DirectVoxGO"
GRIDS = ("density.grid", "density", "density.xy_plane")  # as released, as first released, as products of planes
OTHER_POINTS = ("nearest", "pre_act_density", "in_act_density")  # ways of interpolating in the first releases


class DvgoFamily(Family):
    """Checkpoints of sunset1995/DirectVoxGO."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members."""
        state, options = (checkpoint.content.get(name) for name in ("model_state_dict", "model_kwargs"))
        return (
            checkpoint.kind == "torch"
            and isinstance(state, dict)
            and isinstance(options, dict)
            and "xyz_min" in state
            and any(name in state for name in GRIDS)
        )

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and its scene from the file and from ``config.py`` beside it."""
        state, options = checkpoint.content["model_state_dict"], checkpoint.content["model_kwargs"]
        _check_kind(state, options)
        volume = _volume(checkpoint.path, state, options)
        field = VoxelGrid(volume, _head(checkpoint.path, state, volume, overrides), overrides.activation or "softplus")
        box = box_of(volume.low, volume.high)
        if "mpi_depth" not in options:
            return LoadedFields.single(field, _scene(checkpoint.path, box))
        scene = forward_facing(SceneInfo(coarse_samples=256, background=(0.0, 0.0, 0.0)), overrides, ndc=True)
        return LoadedFields.single(field, replace(scene, bounds=box, principal_shift=0.0))


def _check_kind(state: dict[str, Any], options: dict[str, Any]) -> None:
    """Raise :class:`DuplexError` for the variants of the code base that are not read."""
    if "scene_center" in state or "contracted_norm" in options:
        raise DuplexError(
            "an unbounded DirectContractedVoxGO: its opacity is per step of a contracted ray, which is no density in "
            "space: train the bounded model, or bake an unbounded scene from nerfacto"
        )
    if "density.xy_plane" in state or "k0.xy_plane" in state:
        raise DuplexError(
            "grids of type TensoRFGrid: expected DenseGrid: train with density_type and k0_type DenseGrid"
        )
    for name in OTHER_POINTS:
        if options.get(name) is True:
            raise DuplexError(f"{name} is set: expected grids that are activated after interpolation: train without it")


def _volume(path: Path, state: dict[str, Any], options: dict[str, Any]) -> VoxelVolume:
    low, high = (_shaped(tensor_of(state.get(n), path, n), n, (3,)) for n in ("xyz_min", "xyz_max"))
    box_of(low, high)
    names = ("density.grid", "k0.grid") if "density.grid" in state else ("density", "k0")
    density = _shaped(tensor_of(state[names[0]], path, names[0]), names[0], (1, 1, None, None, None))
    features = _shaped(tensor_of(state.get(names[1]), path, names[1]), names[1], (1, None, None, None, None))
    if not all((*density.shape[2:], *features.shape[2:])):
        sizes = f"{names[0]} {tuple(density.shape)} and {names[1]} {tuple(features.shape)}"
        raise DuplexError(f"{sizes}: expected grids that are not empty: a damaged file")
    if "mpi_depth" in options:
        planes = density.shape[-1]
        if "act_shift.grid" in state:
            name = "act_shift.grid"
            density = density + _shaped(tensor_of(state[name], path, name), name, (1, 1, 1, 1, planes))
        rate = _number(options.get("voxel_size_ratio"), "voxel_size_ratio") * (planes - 1) / 2
        return VoxelVolume(density, features, low, high, 0.0, rate, _mask(path, state))
    base = float((high - low).double().prod()) / _number(options.get("num_voxels_base"), "num_voxels_base")
    return VoxelVolume(density, features, low, high, _shift(state, options), base ** (-1 / 3), _mask(path, state))


def _shift(state: dict[str, Any], options: dict[str, Any]) -> float:
    """The shift of the raw density: as stored, or from the initial opacity in releases that do not store it."""
    for given in (state.get("act_shift"), options.get("act_shift")):
        if given is not None:
            return _number(given, "act_shift", -math.inf)
    opacity = _number(options.get("alpha_init"), "alpha_init")
    if opacity >= 1:
        raise DuplexError(f"alpha_init is {opacity:g}: expected an opacity below 1: a damaged file")
    return math.log(opacity / (1 - opacity))


def _mask(path: Path, state: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor] | None:
    """The mask of known free space; the first releases store none, but clear the grid there."""
    if "mask_cache.mask" not in state:
        return None
    mask = _shaped(tensor_of(state["mask_cache.mask"], path, "mask_cache.mask"), "mask_cache.mask", (None, None, None))
    names = ("mask_cache.xyz2ijk_scale", "mask_cache.xyz2ijk_shift")
    scale, shift = (_shaped(tensor_of(state.get(name), path, name), name, (3,)) for name in names)
    return mask > 0, scale, shift


def _head(path: Path, state: dict[str, Any], volume: VoxelVolume, overrides: Overrides) -> ColorHead | None:
    """The colour network, or None where features are colours."""
    weights = {k: v for k, v in state.items() if isinstance(k, str) and k.startswith("rgbnet.")}
    width = volume.features.shape[1]
    if not weights:
        if width != 3:
            raise DuplexError(f"k0 has {width} features and no rgbnet takes them: expected 3 colours: a damaged file")
        return None
    weights = check_tensors(weights, path, "rgbnet")
    names = _layer_names(weights)
    layers = list[nn.Linear]()
    for i, name in enumerate(names):
        layers.append(
            linear(weights, name, NAME, layers[-1].out_features if i else None, None if names[i + 1 :] else 3)
        )
    order = overrides.encoding or "tdf"
    views = Encoding(_frequencies(path, state, "viewfreq"), order)
    positions = Encoding(_frequencies(path, state, "posfreq"), order) if "posfreq" in state else None
    taken = width_of(weights, names[0]) - views.width() - (positions.width() if positions else 0)
    if taken != width and not 0 <= taken == width - 3:
        raise DuplexError(
            f"rgbnet.0 leaves {taken} inputs for the {width} features of k0: expected all of them, or all but three: "
            "a network of unknown shape"
        )
    return ColorHead(layers, views, positions, residual=taken == width - 3)


def _layer_names(weights: dict[str, Tensor]) -> list[str]:
    """A Sequential of Linear, ReLU, then a Sequential of Linear and ReLU for each further layer, then Linear."""
    count = 2
    while f"rgbnet.{count}.0.weight" in weights:
        count += 1
    return ["rgbnet.0", *(f"rgbnet.{i}.0" for i in range(2, count)), f"rgbnet.{count}"]


def _frequencies(path: Path, state: dict[str, Any], name: str) -> tuple[float, ...]:
    values = _shaped(tensor_of(state.get(name), path, name), name, (None,))
    if len(values) > MAX_FREQUENCIES:
        raise DuplexError(f"{name} holds {len(values)} frequencies: expected at most {MAX_FREQUENCIES}")
    return tuple(values.tolist())


def _shaped(tensor: Tensor, name: str, shape: tuple[int | None, ...]) -> Tensor:
    """``tensor``, if it has that shape (None: any size); raises :class:`DuplexError`."""
    if tensor.ndim != len(shape) or any(b not in (None, a) for a, b in zip(tensor.shape, shape, strict=True)):
        wanted = " x ".join("any" if side is None else str(side) for side in shape)
        raise DuplexError(f"{name} has the shape {tuple(tensor.shape)}: expected {wanted}: a network of unknown shape")
    return tensor


def _number(value: Any, name: str, least: float = 0.0) -> float:
    """A hyperparameter above ``least``, whether a number, an array or a tensor of one; raises :class:`DuplexError`."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise DuplexError(f"{name} is missing or no number: a checkpoint of unknown layout") from None
    if not least < number < math.inf:
        raise DuplexError(f"{name} is {number:g}: expected a number above {least:g}: a damaged file")
    return number


def _scene(path: Path, box: Box) -> SceneInfo:
    """A bounded scene from the ``config.py`` that training wrote beside the checkpoint."""
    options = _data_options(path.parent / "config.py")
    white = options.get("white_bkgd", False) if options else True
    assumed = (
        ()
        if options
        else (
            "near 2, far 6, white background, no config.py being there: --near, --far and --background say otherwise",
        )
    )
    scene = SceneInfo(
        background=(1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0),
        coarse_samples=256,
        principal_shift=0.0,
        bounds=box,
        assumed=assumed,
    )
    kind = options.get("dataset_type", "blender")
    if kind == "blender":
        return scene
    far = 2 * float(np.linalg.norm(np.diff(box, axis=0)))
    why = (
        f"near {0.02 * far:.3g}, far {far:.3g}, from the box of a scene of type {str(kind)[:20]}: give --near and --far"
    )
    return replace(scene, near=0.02 * far, far=far, hemisphere=False, assumed=(*assumed, why))


def _data_options(file: Path) -> dict[str, Any]:
    """The constants in ``data = dict(...)`` of an mmcv configuration, which is Python and is parsed, never run."""
    try:
        tree = ast.parse(read_small_text(file))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise DuplexError(f"{file}: no configuration of DirectVoxGO: mend it or move it away") from None
    calls = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _assigns(node, "data")
    ]
    return {str(k.arg): k.value.value for call in calls for k in call.keywords if isinstance(k.value, ast.Constant)}


def _assigns(node: ast.Assign, name: str) -> bool:
    return [getattr(target, "id", None) for target in node.targets] == [name]
