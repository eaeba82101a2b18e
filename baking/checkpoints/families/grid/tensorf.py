"""Checkpoints of apchenstu/TensoRF: ``.th`` files of VM-split, VM and CP grids.

Chen et al., "TensoRF: Tensorial Radiance Fields", ECCV 2022. The class is told by the tensors' names, every size
by their shapes. NDC scenes (LLFF) are told by their interval, which is 0 to 1.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints import note
from duplex.baking.checkpoints.box import box_of
from duplex.baking.checkpoints.families.grid.tensorf_alpha_mask import MAX_SIDE, read_alpha_mask
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.tree import CheckpointNode
from duplex.baking.fields.encoding import MAX_FREQUENCIES
from duplex.baking.fields.factor_lookup import LINES, PLANES
from duplex.baking.fields.factor_shading import SHADINGS, Shading, Traits
from duplex.baking.fields.factors import Cp, FactorField, FieldUnits, Vm, VmSplit
from duplex.baking.fields.field import ACTIVATIONS, MAX_DISTANCE, Overrides, SceneInfo, forward_facing, linear
from duplex.baking.fields.spaces import Contracted

NAME = "TensoRF"
CLASSES = {"density_plane.0": VmSplit, "plane_coef": Vm, "density_line.0": Cp}  # the more telling names first
COARSE, FINE = 256, 128  # stand for the original's steps of half a cell
MAX_COMPONENTS = 1024  # of the density, and of the colour
MAX_OPTION = 1e6


class TensorfFamily(Family):
    """Checkpoints of apchenstu/TensoRF."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members."""
        root = checkpoint.root
        state, kwargs = root.at("state_dict"), root.at("kwargs")
        if checkpoint.kind != "torch" or not state.is_object or not kwargs.is_object:
            return False
        return "basis_mat.weight" in state and any(name in state for name in CLASSES)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and the scene of its ``kwargs``."""
        root = checkpoint.root
        kwargs = root.at("kwargs")
        box = kwargs.tensor("aabb", (2, 3))
        box_of(box[0], box[1], "kwargs: aabb")
        field = _field(root.at("state_dict"), box, _traits(kwargs, overrides))
        field.mask = read_alpha_mask(root)
        scene = _scene(root, overrides, box)
        if note.MEMBER in root and isinstance(scene.space, Contracted):
            return LoadedFields.single(FieldUnits(field, scene.space), scene)
        return LoadedFields.single(field, scene)


def _traits(kwargs: CheckpointNode, overrides: Overrides) -> Traits:
    if overrides.activation is not None and overrides.activation not in ACTIVATIONS:
        raise DuplexError(f"--activation {overrides.activation}: expected one of {', '.join(ACTIVATIONS)}")
    views, features, points = (kwargs.whole(name, 0, MAX_FREQUENCIES, 6) for name in ("view_pe", "fea_pe", "pos_pe"))
    return Traits(
        kwargs.text("shadingMode", SHADINGS, "MLP_PE"),
        views,
        features,
        points,
        activation=overrides.activation or kwargs.text("fea2denseAct", ("softplus", "relu"), "softplus"),
        shift=kwargs.number("density_shift", -MAX_OPTION, MAX_OPTION, -10),
        scale=kwargs.number("distance_scale", 0, MAX_OPTION, 25),
        order=overrides.encoding or "tdf",
    )


def _field(state: CheckpointNode, box: Tensor, traits: Traits) -> FactorField:
    weights = state.tensors()
    kind = next(made for name, made in CLASSES.items() if name in weights)
    components = _check_vm(weights) if kind is Vm else _check_grids(weights, split=kind is VmSplit)
    basis = weights["basis_mat.weight"]
    if basis.ndim != 2 or not 1 <= basis.shape[0] <= MAX_SIDE or basis.shape[1] != components:
        raise DuplexError(f"basis_mat.weight {_shape(basis)} does not fit the {components} components of colour")
    return kind(box, traits, weights, _layers(weights, traits, basis.shape[0]))


def _layers(weights: dict[str, Tensor], traits: Traits, channels: int) -> list[nn.Linear]:
    expected = {"SH": 27, "RGB": 3}.get(traits.shading, channels)
    if channels != expected:
        raise DuplexError(f"{channels} features: {traits.shading} shading takes {expected}")
    if traits.shading in ("SH", "RGB"):
        return []
    layers = []
    width = Shading.width(traits, channels)
    for name, outputs in (("0", None), ("2", None), ("4", 3)):
        layers.append(linear(weights, f"renderModule.mlp.{name}", NAME, width, outputs))
        width = layers[-1].out_features
    return layers


def _check_grids(weights: dict[str, Tensor], *, split: bool) -> int:
    """Check planes (where ``split``) and lines against each other; returns the components of colour."""
    sides = [0, 0, 0]
    for i, axis in enumerate(LINES):
        line = weights.get(f"density_line.{i}", torch.zeros(0))
        sides[axis] = line.shape[2] if line.ndim == 4 else 0
    if not all(2 <= side <= MAX_SIDE for side in sides):
        raise DuplexError(f"density_line.0, 1, 2: grids of {sides} vertices: expected 2 to {MAX_SIDE} along each axis")
    total = 0
    for kind in ("density", "app"):
        counts = []
        for i in range(3):
            line = weights.get(f"{kind}_line.{i}", torch.zeros(0))
            counts.append(line.shape[1] if line.ndim == 4 else 0)
            _expect(weights, f"{kind}_line.{i}", (1, counts[i], sides[LINES[i]], 1))
            if split:
                across, down = PLANES[i]
                _expect(weights, f"{kind}_plane.{i}", (1, counts[i], sides[down], sides[across]))
        if not split and len(set(counts)) > 1:
            raise DuplexError(f"{kind}_line.0, 1, 2 have {counts} components: expected as many in each")
        total = sum(counts) if split else counts[0]
        if total > MAX_COMPONENTS:
            raise DuplexError(f"{kind}_line.0, 1, 2 have {total} components: expected at most {MAX_COMPONENTS}")
    return total


def _check_vm(weights: dict[str, Tensor]) -> int:
    plane, basis = weights["plane_coef"], weights["basis_mat.weight"]
    count, side = plane.shape[1:3] if plane.ndim == 4 else (0, 0)
    if not 2 <= side <= MAX_SIDE:
        raise DuplexError(f"plane_coef {_shape(plane)}: expected (3, components, side, side)")
    _expect(weights, "plane_coef", (3, count, side, side))
    _expect(weights, "line_coef", (3, count, side, 1))
    if 3 * count > MAX_COMPONENTS:
        raise DuplexError(f"plane_coef has {count} components thrice: expected at most {MAX_COMPONENTS} in all")
    colors = basis.shape[1] // 3 if basis.ndim == 2 else 0
    if not 1 <= colors < count:
        raise DuplexError(f"plane_coef has {count} components, basis_mat.weight {_shape(basis)} takes {colors} of them")
    return 3 * colors


def _expect(weights: dict[str, Tensor], name: str, shape: tuple[int, ...]) -> None:
    found = weights.get(name)
    if found is None:
        raise DuplexError(f"{name} is missing: not a {NAME} field that duplex knows")
    if found.shape != shape or not found.numel():
        raise DuplexError(f"{name} {_shape(found)} does not fit the others: expected {shape}")


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _scene(root: CheckpointNode, overrides: Overrides, box: Tensor) -> SceneInfo:
    near, far = root.at("kwargs").numbers("near_far", 2, (2.0, 6.0), limit=MAX_DISTANCE).tolist()
    low, high = ((float(c[0]), float(c[1]), float(c[2])) for c in box)
    scene = SceneInfo(
        near, far, coarse_samples=COARSE, fine_samples=FINE, principal_shift=0.0, bounds=(low, high),
        assumed=("white background: --background says otherwise",),
    )  # fmt: skip
    if note.MEMBER in root:
        return note.read(root.at(note.MEMBER), scene)
    if overrides.space == "ndc" or ((near, far) == (0, 1) and overrides.space is None):
        scene = replace(scene, background=(0.0, 0.0, 0.0), assumed=("black background: --background says otherwise",))
        scene = forward_facing(scene, overrides, ndc=True, field_views=True)
    return replace(scene, principal_shift=0.0, bounds=(low, high))
