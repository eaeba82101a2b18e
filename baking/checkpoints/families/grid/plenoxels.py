"""Checkpoints of sxyu/svox2: sparse voxel grids in ``.npz`` files.

Fridovich-Keil, Yu et al., "Plenoxels: Radiance Fields without Neural Networks", CVPR 2022. A dense grid of links
leads to the voxels that there are; density and harmonic coefficients are interpolated trilinearly between voxel
centres, a missing voxel counting as zero. A point p of the world lies at p * G / (2 r) + (1 - c / r) G / 2 - 1/2 of
the grid (G voxels a side, centre c, radius r). Densities are per unit of the world that the box is in.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.box import Box, box_of
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint, json_beside
from duplex.baking.checkpoints.tree import MEND, CheckpointNode
from duplex.baking.fields.field import ACTIVATIONS, Overrides, RadianceField, SceneInfo, forward_facing
from duplex.baking.fields.spherical_harmonics import COUNTS, spherical_harmonics

NAME = "Plenoxels"
HARMONICS = 1
OTHER_BASES = {4: "a learned 3D texture", 255: "a learned network"}
BLENDER_SCALE = 2 / 3  # by which svox2 moves the cameras of NeRF-synthetic nearer
LLFF_LIGHT = 0.5  # background of svox2's configuration for LLFF
MAX_SIDE = 4096
LEAST_RADIUS = 1e-6


@dataclass(frozen=True)
class Svox2Options:
    """The options in svox2's ``args.json``, or their defaults.

    ``found``: whether there was one; ``light``: brightness of the background; ``scale``: of the dataset's cameras;
    ``llff``: forward-facing photos, hence NDC.
    """

    found: bool = False
    light: float = 1.0
    scale: float = BLENDER_SCALE
    llff: bool = False


class PlenoxelsFamily(Family):
    """Grids of sxyu/svox2."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members, of the first releases or later ones."""
        root = checkpoint.root
        return checkpoint.kind == "npz" and "links" in root and ("density_data" in root or "data" in root)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and the scene from its box and from ``args.json`` beside it."""
        root = checkpoint.root
        _check_basis(root)
        options = _options(checkpoint.path.parent / "args.json")
        field = Plenoxels(root, overrides.activation or "relu", _is_ndc(options, overrides))
        return LoadedFields.single(field, _scene(root, options, overrides, field.box()))


class Plenoxels(RadianceField):
    """The grid of a checkpoint. ``activation``: of the interpolated density.

    ``flipped``: the grid is in NDC with y downwards, since svox2's cameras are OpenCV's. The latent of a point is
    the point itself: coefficients are read only where a colour is wanted.
    """

    links: Tensor
    density_data: Tensor
    coefficients: Tensor
    scale: Tensor
    offset: Tensor
    axes: Tensor

    def __init__(self, root: CheckpointNode, activation: str, flipped: bool):
        super().__init__()
        links = root.whole_tensor("links", (None, None, None))
        if not all(2 <= side <= MAX_SIDE for side in links.shape):
            raise DuplexError(f"links has the shape {tuple(links.shape)}: expected 2 to {MAX_SIDE} voxels a side")
        density, coefficients = _voxels(root)
        if int(links.max()) >= len(density):
            raise DuplexError(f"links leads to voxel {int(links.max())} of {len(density)}: a damaged file")
        radius, center = _triple(root, "radius", 1.0), _triple(root, "center", 0.0)
        if not bool((radius >= LEAST_RADIUS).all()):
            raise DuplexError(f"radius is {radius.tolist()}: expected positive numbers: a damaged file")
        self.activation = activation
        self.shape = tuple(links.shape)
        sides = torch.tensor(links.shape)
        axes = torch.tensor([1.0, -1.0 if flipped else 1.0, 1.0])
        self.register_buffer("links", links.view(-1))
        self.register_buffer("density_data", density)
        self.register_buffer("coefficients", coefficients)
        self.register_buffer("scale", sides / (2 * radius))
        self.register_buffer("offset", 0.5 * (1 - center / radius) * sides - 0.5)
        self.register_buffer("axes", axes)

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        grid = torch.addcmul(self.offset, points * self.axes, self.scale)
        sides = grid.new_tensor(self.shape)
        inside = ((grid >= -0.5) & (grid <= sides - 0.5)).all(-1)
        sigma = ACTIVATIONS[self.activation](self._interpolated(grid, self.density_data)[:, 0])
        return torch.where(inside, sigma, torch.zeros_like(sigma)), points

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        grid = torch.addcmul(self.offset, latent * self.axes, self.scale)
        count = self.coefficients.shape[1] // 3
        coefficients = self._interpolated(grid, self.coefficients).view(-1, 3, count)
        basis = spherical_harmonics(directions * self.axes, count)
        return ((coefficients * basis[:, None]).sum(-1) + 0.5).clamp(0, 1)

    def _interpolated(self, grid: Tensor, data: Tensor) -> Tensor:
        """``data`` (voxels, c) at ``grid`` (n, 3), in voxels from the first one's centre: (n, c) float32."""
        x, y, z = self.shape
        top = grid.new_tensor([x - 2, y - 2, z - 2])
        place = torch.minimum(grid.clamp(min=0), top + 1)
        low = torch.minimum(place.floor(), top)
        share = place - low
        cell = low.long()
        first = (cell[:, 0] * y + cell[:, 1]) * z + cell[:, 2]
        total = place.new_zeros(len(grid), data.shape[1])
        for i, j, k in itertools.product((0, 1), repeat=3):
            link = self.links[first + (i * y + j) * z + k].long()
            near = torch.where(share.new_tensor([i, j, k]) > 0, share, 1 - share)
            weight = torch.where(link >= 0, near.prod(-1), torch.zeros_like(place[:, 0]))
            total += weight[:, None] * data[link.clamp(min=0)].float()
        return total

    def box(self) -> Box:
        """Corners of what the grid covers, in field space."""
        sides = torch.tensor(self.shape)
        corners = torch.stack(
            [(edge - self.offset) / self.scale * self.axes for edge in (-0.5 + 0 * sides, sides - 0.5)]
        )
        return box_of(corners.amin(0), corners.amax(0))

    def describe(self) -> dict[str, str]:  # noqa: D102
        voxels = len(self.density_data)
        harmonics = self.coefficients.shape[1] // 3
        return {
            "network": f"none: {' x '.join(map(str, self.shape))} grid, {voxels} voxels of {harmonics} harmonics",
            "density": self.activation,
        }


def _check_basis(root: CheckpointNode) -> None:
    """Raise :class:`DuplexError` where colours are not made of spherical harmonics."""
    learned = "basis_data" in root and 0 not in (root.shape("basis_data") or (1,))
    number = root.whole("basis_type", 0, 255, 4 if learned else HARMONICS)  # early releases told it so
    if number != HARMONICS:
        raise DuplexError(
            f"colours in {OTHER_BASES.get(number, 'an unknown basis')} (basis_type {number}): duplex reads spherical "
            "harmonics: train with --basis_type sh"
        )


def _voxels(root: CheckpointNode) -> tuple[Tensor, Tensor]:
    """Densities (n, 1) and harmonic coefficients (n, 3 * count), channel after channel."""
    if "data" in root:  # the first releases: density and coefficients in one array
        data = root.tensor("data", (None, None), keep_half=True)
        density, coefficients = data[:, :1], data[:, 1:]
    else:
        density = root.tensor("density_data", (None, 1), keep_half=True)
        coefficients = root.tensor("sh_data", (len(density), None), keep_half=True)
    if coefficients.shape[1] not in [3 * count for count in COUNTS]:
        raise DuplexError(
            f"{coefficients.shape[1]} colour coefficients a voxel: expected 3 times one of {COUNTS}: "
            "no spherical harmonics that duplex knows"
        )
    return density.contiguous(), coefficients.contiguous()


def _triple(root: CheckpointNode, name: str, otherwise: float) -> Tensor:
    return root.tensor(name, (3,)) if name in root else torch.full((3,), otherwise)


def _scene(root: CheckpointNode, options: Svox2Options, overrides: Overrides, box: Box) -> SceneInfo:
    layers = "background_links" in root
    ndc = _is_ndc(options, overrides)
    light = LLFF_LIGHT if ndc and not options.found else options.light
    assumed: tuple[str, ...] = ()
    if not options.found:
        assumed += (f"background brightness {light:g}, no args.json being there: --background says otherwise",)
    if layers:
        assumed += ("its background layers are left out: only what lies inside the grid is baked",)
    scene = SceneInfo(
        background=(light, light, light), coarse_samples=256, fine_samples=128, principal_shift=0.0, assumed=assumed
    )
    if ndc:
        scene = forward_facing(scene, overrides, ndc=True, field_views=True)
        return replace(scene, bounds=box, principal_shift=0.0)
    size = float(np.linalg.norm(np.diff(box, axis=0)))
    moved = options.scale
    if not layers and np.allclose(box, [[-1] * 3, [1] * 3]):
        frame = tuple((np.diag([moved, moved, moved, 1.0])).reshape(-1).tolist())
        scene = replace(scene, near=2 * moved, far=6 * moved, dataset_to_world=frame)
        why = f"as cameras of NeRF-synthetic, brought nearer by {moved:.3g} as svox2 does"
    else:
        scene = replace(scene, near=0.01 * size, far=size, hemisphere=False)
        why = "from the grid's box"
    why = f"near {scene.near:.3g}, far {scene.far:.3g}, {why}: --near and --far say otherwise, --space ndc for LLFF"
    return replace(scene, bounds=box, assumed=(*assumed, why))


def _is_ndc(options: Svox2Options, overrides: Overrides) -> bool:
    return overrides.space == "ndc" or (overrides.space is None and options.llff)


def _options(file: Path) -> Svox2Options:
    """The options in svox2's ``args.json``; raises :class:`DuplexError` for any other file."""
    given = json_beside(file, "options of svox2")
    if not given.exists:
        return Svox2Options()
    if not given.is_object:
        raise DuplexError(f"{file}: no options of svox2: {MEND}")
    return Svox2Options(
        True,
        given.number("background_brightness", 0, 1, 1.0),
        given.number("scene_scale", 1e-3, 1e3, BLENDER_SCALE),
        given.text("dataset_type", default="") == "llff" or "llff" in given.text("config", default="", longest=4096),
    )
