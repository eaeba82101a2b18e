"""PlenOctrees of sxyu/svox and volrend: ``.npz`` files, as exported or with quantised colours.

Yu et al., "PlenOctrees for Real-time Rendering of Neural Radiance Fields", ICCV 2021. A node has N^3 cells;
``child`` holds how many nodes further a cell's own node lies, 0 where the cell is a leaf. Density and colour
coefficients are constant in a leaf. A point p of the world lies at ``offset + invradius p`` of the unit cube that
the tree divides. Densities are per unit of the world.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import shown
from duplex.baking.checkpoints.box import Box, box_of
from duplex.baking.checkpoints.families.baked.plenoctree_leaves import LeafCodebook, LeafTable
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.tree import CheckpointNode
from duplex.baking.fields.field import ACTIVATIONS, Overrides, RadianceField, SceneInfo, forward_facing
from duplex.baking.fields.spherical_harmonics import COUNTS, spherical_harmonics

NAME = "PlenOctree"
MAX_DEPTH = 24
MAX_FUNCTIONS = 128  # of a basis
FORMAT = re.compile(r"(RGBA|SH|SG|ASG)(\d{0,4})")


class PlenOctreeFamily(Family):
    """Trees of sxyu/svox and volrend."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members."""
        root = checkpoint.root
        return checkpoint.kind == "npz" and "child" in root and ("data" in root or "quant_colors" in root)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and its scene; the file states only the box."""
        field = PlenOctree(checkpoint.root, overrides.activation or "relu")
        scene = SceneInfo(
            coarse_samples=256,
            fine_samples=128,
            bounds=field.box(),
            assumed=("near 2, far 6, white background: --near, --far and --background say otherwise",),
        )
        path = checkpoint.path
        poses_of_volrend = path.with_name(f"{path.stem}_poses_bounds.npy")  # lies beside trees in NDC
        if overrides.space == "ndc" or os.path.isfile(poses_of_volrend):  # noqa: PTH113 - too long a name is none
            scene = forward_facing(replace(scene, assumed=()), overrides, ndc=True)
            scene = replace(scene, bounds=field.box())
        return LoadedFields.single(field, scene)


class PlenOctree(RadianceField):
    """The tree of a checkpoint. ``activation``: of the stored density.

    The latent of a point is the point itself: coefficients are read only where a colour is wanted.
    """

    child: Tensor
    scale: Tensor
    offset: Tensor
    lobes: Tensor

    def __init__(self, root: CheckpointNode, activation: str):
        super().__init__()
        child = root.whole_tensor("child", (None, None, None, None))
        nodes = child.shape[0]
        self.side = child.shape[1]
        if set(child.shape[1:]) != {self.side} or not 2 <= self.side <= 16:
            raise DuplexError(f"child has the shape {tuple(child.shape)}: expected nodes x N x N x N, N from 2 to 16")
        self.depth = _depth(child.view(nodes, -1).numpy())
        self.activation = activation
        self.register_buffer("child", child.view(-1))
        self.register_buffer("scale", _scale(root))
        self.register_buffer("offset", root.tensor("offset", (3,)))
        self.leaves = (LeafCodebook if "quant_colors" in root else LeafTable)(root, tuple(child.shape))
        self.basis, self.count = _format(root, self.leaves.count)
        lobes = root.tensor("extra_data", (self.count, 4)) if self.basis == "SG" else torch.zeros(0, 4)
        self.register_buffer("lobes", lobes)
        self.sigmoid = self.basis != "RGBA" or not self.leaves.in_unit_range()  # volrend stores colours, svox logits

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        unit = torch.addcmul(self.offset, points, self.scale)
        inside = ((unit >= 0) & (unit <= 1)).all(-1)
        sigma = ACTIVATIONS[self.activation](self.leaves.sigma(self._leaf(unit)))
        return torch.where(inside, sigma, torch.zeros_like(sigma)), points

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        coefficients = self.leaves.coefficients(self._leaf(torch.addcmul(self.offset, latent, self.scale)))
        if self.basis == "SH":
            coefficients = coefficients * spherical_harmonics(directions, self.count)[:, None]
        elif self.basis == "SG":  # spherical Gaussians: sharpness, then axis
            height = torch.exp((self.lobes[:, 0] * (directions @ self.lobes[:, 1:].T - 1)).clamp(max=0))
            coefficients = coefficients * (height / self.count)[:, None]
        total = coefficients.sum(-1)
        return torch.sigmoid(total) if self.sigmoid else total.clamp(0, 1)

    def _leaf(self, unit: Tensor) -> Tensor:
        """Indices (n,) among all nodes' cells of the leaves that hold points (n, 3) of the unit cube."""
        place = unit.clamp(0, 1 - 1e-6)
        leaf = torch.zeros(len(unit), dtype=torch.long, device=unit.device)
        left = torch.arange(len(unit), device=unit.device)
        node = torch.zeros_like(leaf)
        for _ in range(self.depth):
            cell = (place * self.side).floor().clamp(max=self.side - 1)
            place = place * self.side - cell
            x, y, z = cell.long().unbind(-1)
            index = ((node * self.side + x) * self.side + y) * self.side + z
            leaf[left] = index
            skip = self.child[index].long()
            deeper = torch.nonzero(skip)[:, 0]
            left = left[deeper]
            place = place[deeper]
            node = node[deeper] + skip[deeper]
        return leaf

    def box(self) -> Box:
        """Corners of what the tree covers, in the world."""
        return box_of(-self.offset / self.scale, (1 - self.offset) / self.scale)

    def describe(self) -> dict[str, str]:  # noqa: D102
        nodes = len(self.child) // self.side**3
        return {
            "network": f"none: a tree of {nodes} nodes, {self.depth} deep, colours {self.basis}{self.count}",
            "density": self.activation,
        }


def _depth(child: Array) -> int:
    """Levels of the tree ``child`` (nodes, cells); raises :class:`DuplexError` for anything else."""
    level = np.zeros(1, np.int64)
    seen = 0
    depth = 0
    while len(level):
        depth = depth + 1
        seen = seen + len(level)
        if depth > MAX_DEPTH:
            raise DuplexError(f"child is no tree of {len(child)} nodes at most {MAX_DEPTH} deep: a damaged file")
        below = child[level]
        if seen + np.count_nonzero(below) > len(child):
            raise DuplexError(f"child is no tree of {len(child)} nodes: a damaged file")
        row, cell = np.nonzero(below)
        level = level[row] + below[row, cell]
        if len(level) and not 0 <= level.min() <= level.max() < len(child):
            raise DuplexError(f"child leads to node {level.max()} of {len(child)}: a damaged file")
    return depth


def _scale(root: CheckpointNode) -> Tensor:
    """Reciprocals of the box's sides (3,); the first releases had one number for all of them."""
    each = "invradius3" in root
    scale = root.tensor("invradius3", (3,)) if each else root.tensor("invradius", ()).expand(3).clone()
    if not bool((scale > 0).all()):
        raise DuplexError(f"invradius is {scale.tolist()}: expected positive numbers: a damaged file")
    return scale


def _format(root: CheckpointNode, count: int) -> tuple[str, int]:
    """The basis of colours (SH, SG or RGBA) and how many functions it has: ``count``, of a leaf's data, or refused."""
    legacy = "RGBA" if count == 1 else f"SH{count}"
    text = root.text("data_format", default=legacy)
    parts = FORMAT.fullmatch(text)
    if parts is None or parts[1] == "ASG":
        raise DuplexError(
            f"data_format {shown(text)}: duplex reads RGBA, SH1 to SH25 and SG: export the tree with harmonics"
        )
    if parts[1] == "SH" and count not in COUNTS:
        raise DuplexError(f"data_format {shown(text)}: expected {', '.join(f'SH{n}' for n in COUNTS)}")
    if int(parts[2] or 1) != count:
        raise DuplexError(
            f"data_format {shown(text)}, but {count} coefficients a channel in the leaves: a damaged file"
        )
    if count > MAX_FUNCTIONS:
        raise DuplexError(f"data_format {shown(text)}: expected at most {MAX_FUNCTIONS} functions: a damaged file")
    return parts[1], count
