"""Checkpoints of sunset1995/DirectVoxGO: ``.tar`` files of dense voxel grids, with or without a shallow network.

Sun et al., "Direct Voxel Grid Optimization", CVPR 2022. Alphabet: raw density ``d``, interpolated trilinearly, and
its shift ``b``; a step of ``s`` voxels has the opacity ``1 - (1 + exp(d + b))^(-s r)`` where ``r`` is the voxels'
size over a base size ``v``: so the density per unit of length is ``softplus(d + b) / v``. Forward-facing scenes
(DirectMPIGO) take ``D`` planes over the two units of NDC's depth, so that it is ``softplus(d + b) r (D - 1) / 2``,
exactly so for rays straight through the planes: for others the original takes no account of their greater length.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import shown
from duplex.baking.checkpoints.box import Box, box_of
from duplex.baking.checkpoints.families.grid.dvgo_config import read_config
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.tree import CheckpointNode
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
MAX_SIDE = 8192
MAX_SHIFT = 1e6
MAX_RATE = 1e9
MAX_VOXELS = 1e12
MAX_LAYERS = 64
MAX_FREQUENCY = 1e10


class DvgoFamily(Family):
    """Checkpoints of sunset1995/DirectVoxGO."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members."""
        state, options = _parts(checkpoint)
        return (
            checkpoint.kind == "torch"
            and state.is_object
            and options.is_object
            and "xyz_min" in state
            and any(name in state for name in GRIDS)
        )

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and its scene from the file and from ``config.py`` beside it."""
        state, options = _parts(checkpoint)
        _check_kind(state, options)
        volume = _volume(state, options)
        box = box_of(volume.low, volume.high)
        field = VoxelGrid(volume, _head(state, volume, overrides), overrides.activation or "softplus")
        if "mpi_depth" not in options:
            return LoadedFields.single(field, _scene(checkpoint.path, box))
        scene = forward_facing(SceneInfo(coarse_samples=256, background=(0.0, 0.0, 0.0)), overrides, ndc=True)
        return LoadedFields.single(field, replace(scene, bounds=box, principal_shift=0.0))


def _parts(checkpoint: Checkpoint) -> tuple[CheckpointNode, CheckpointNode]:
    """The state dict and the options of a checkpoint."""
    return checkpoint.root.at("model_state_dict"), checkpoint.root.at("model_kwargs")


def _check_kind(state: CheckpointNode, options: CheckpointNode) -> None:
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
        if options.flag(name, False):
            raise DuplexError(f"{name} is set: expected grids that are activated after interpolation: train without it")


def _volume(state: CheckpointNode, options: CheckpointNode) -> VoxelVolume:
    low, high = state.tensor("xyz_min", (3,)), state.tensor("xyz_max", (3,))
    box_of(low, high)
    names = ("density.grid", "k0.grid") if "density.grid" in state else ("density", "k0")
    density, features = _grid(state, names[0], 1), _grid(state, names[1])
    if "mpi_depth" in options:
        planes = density.shape[-1]
        if "act_shift.grid" in state:
            density = density + state.tensor("act_shift.grid", (1, 1, 1, 1, planes))
        rate = options.number("voxel_size_ratio", 1 / MAX_RATE, MAX_RATE) * (planes - 1) / 2
        return VoxelVolume(density, features, low, high, 0.0, rate, _mask(state))
    base = float((high - low).double().prod()) / options.number("num_voxels_base", 1, MAX_VOXELS)
    rate = base ** (-1 / 3)
    if not rate < MAX_RATE:
        raise DuplexError(f"num_voxels_base makes voxels of {1 / rate:g} a side: expected larger ones: a damaged file")
    return VoxelVolume(density, features, low, high, _shift(state, options), rate, _mask(state))


def _grid(state: CheckpointNode, name: str, channels: int | None = None) -> Tensor:
    """A dense grid (1, ``channels``, X, Y, Z); it may have no channels where any number will do."""
    shape = state.shape(name) or ()
    empty = channels is None and len(shape) == 5 and shape[:2] == (1, 0) and 0 not in shape[2:]
    grid = state.tensor(name, None if empty else (1, channels, None, None, None))
    _check_sides(name, tuple(grid.shape[2:]))
    return grid


def _check_sides(name: str, sides: tuple[int, ...]) -> None:
    if max(sides) > MAX_SIDE:
        raise DuplexError(f"{name} has {max(sides)} voxels along an axis: expected at most {MAX_SIDE}: a damaged file")


def _shift(state: CheckpointNode, options: CheckpointNode) -> float:
    """The shift of the raw density: as stored, or from the initial opacity in releases that do not store it."""
    for given in (state, options):
        if "act_shift" in given:
            return given.number("act_shift", -MAX_SHIFT, MAX_SHIFT)
    opacity = options.number("alpha_init", 1e-30, 1)
    if opacity >= 1:
        raise DuplexError(f"alpha_init is {opacity:g}: expected an opacity below 1: a damaged file")
    return math.log(opacity / (1 - opacity))


def _mask(state: CheckpointNode) -> tuple[Tensor, Tensor, Tensor] | None:
    """The mask of known free space; the first releases store none, but clear the grid there."""
    if "mask_cache.mask" not in state:
        return None
    mask = state.tensor("mask_cache.mask", (None, None, None))
    _check_sides("mask_cache.mask", tuple(mask.shape))
    return mask > 0, state.tensor("mask_cache.xyz2ijk_scale", (3,)), state.tensor("mask_cache.xyz2ijk_shift", (3,))


def _head(state: CheckpointNode, volume: VoxelVolume, overrides: Overrides) -> ColorHead | None:
    """The colour network, or None where features are colours."""
    members = [name for name in state.names() if name.startswith("rgbnet.")]
    width = volume.features.shape[1]
    if not members:
        if width != 3:
            raise DuplexError(f"k0 has {width} features and no rgbnet takes them: expected 3 colours: a damaged file")
        return None
    weights = state.tensors(members)
    names = _layer_names(weights)
    layers = list[nn.Linear]()
    for i, name in enumerate(names):
        layers.append(
            linear(weights, name, NAME, layers[-1].out_features if i else None, None if names[i + 1 :] else 3)
        )
    order = overrides.encoding or "tdf"
    views = Encoding(_frequencies(state, "viewfreq"), order)
    positions = Encoding(_frequencies(state, "posfreq"), order) if "posfreq" in state else None
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
    while f"rgbnet.{count}.0.weight" in weights and count < MAX_LAYERS:
        count += 1
    return ["rgbnet.0", *(f"rgbnet.{i}.0" for i in range(2, count)), f"rgbnet.{count}"]


def _frequencies(state: CheckpointNode, name: str) -> tuple[float, ...]:
    values = state.tensor(name, None if state.shape(name) == (0,) else (None,))
    if len(values) > MAX_FREQUENCIES:
        raise DuplexError(f"{name} holds {len(values)} frequencies: expected at most {MAX_FREQUENCIES}")
    if not bool((values.abs() < MAX_FREQUENCY).all()):
        raise DuplexError(f"{name} holds {float(values.abs().max()):g}: expected frequencies below {MAX_FREQUENCY:g}")
    return tuple(values.tolist())


def _scene(path: Path, box: Box) -> SceneInfo:
    """A bounded scene from the ``config.py`` that training wrote beside the checkpoint."""
    options = read_config(path.parent / "config.py")
    found = bool(options.names())
    white = options.flag("white_bkgd", not found)
    assumed = (
        ()
        if found
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
    kind = options.text("dataset_type", default="blender")
    if kind == "blender":
        return scene
    far = 2 * float(np.linalg.norm(np.diff(box, axis=0)))
    why = (
        f"near {0.02 * far:.3g}, far {far:.3g}, from the box of a scene of type {shown(kind[:20])}: give --near and "
        "--far"
    )
    return replace(scene, near=0.02 * far, far=far, hemisphere=False, assumed=(*assumed, why))
