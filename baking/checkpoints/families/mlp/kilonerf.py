"""Checkpoints of creiser/kilonerf (Reiser et al., ICCV 2021): thousands of tiny networks, one for each cell of a grid.

Three files are known: ``checkpoint_<step>.pth`` of the fine-tuned networks, the ``checkpoint.pth`` of the distillation
before it, and ``checkpoint_<step>.pth`` of the one large network before that, which is nerf-pytorch's.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.box import Box
from duplex.baking.checkpoints.families.mlp import kilonerf_beside, nerf_pytorch
from duplex.baking.checkpoints.families.mlp.kilonerf_beside import Facts
from duplex.baking.checkpoints.families.mlp.kilonerf_field import HEADS, MAX_NETWORKS, KiloNerf, NetworkGrid
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.tree import MAX_WEIGHTS, CheckpointNode
from duplex.baking.fields.field import MAX_DISTANCE, Overrides, SceneInfo

NAME = "KiloNeRF"
STATE_CLASSES = (
    "__main__.Node",
    "multi_modules.MultiNetwork",
    "multi_modules.MultiNetworkLinear",
    "torch.nn.modules.container.ModuleList",
    "torch.nn.modules.dropout.Dropout",
    "torch.nn.modules.linear.Linear",
    "torch.nn.modules.activation.ReLU",
)
STATE, NODES, FIRST = "model_state_dict", "root_nodes", "pts_linears.0.weight"
ASSUMED = "near 2, far 6, white background, 192 + 128 samples (--near, --far, --background, --samples)"
PARTS = ("weight", "bias")
MAX_PICKLED = 10_000  # networks that are objects of their own
MAX_PARTS = 150_000  # tensors in them


class KiloNerfFamily(Family):
    """Checkpoints of creiser/kilonerf, of all three stages."""

    name = NAME
    state_classes = STATE_CLASSES

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members."""
        root = checkpoint.root
        first = root.at(STATE).shape(FIRST)
        tiny = first is not None and (len(first) != 2 or "global_step" in root)  # without it, anybody's single network
        return checkpoint.kind == "torch" and (tiny or _is_node(root.at(NODES, 0)))

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and the scene from the files beside the checkpoint."""
        root, folder = checkpoint.root, checkpoint.path.parent
        facts = kilonerf_beside.facts(folder)
        near, far = facts.depths
        scene = SceneInfo(near=near, far=far, coarse_samples=192, fine_samples=128, assumed=(ASSUMED,))
        distilled = root.at(NODES).is_list
        if not distilled and len(root.at(STATE).shape(FIRST) or ()) == 2:
            teacher = nerf_pytorch.network(root.at(STATE).tensors(), overrides)
            return LoadedFields.single(teacher, scene)
        occupancy = kilonerf_beside.occupancy(folder, STATE_CLASSES)
        assumed = [] if occupancy is not None else ["no empty space, as no occupancy.pth is beside it"]
        if distilled:
            weights, grid = _distilled(root.at(NODES))
        else:
            weights = root.at(STATE).tensors()
            grid, guessed = _grid(weights[FIRST], facts, occupancy, overrides)
            if guessed:
                cells = " x ".join(map(str, grid.resolution))
                assumed.append(f"a grid of {cells} networks, as no configuration is beside it")
        field = KiloNerf(weights, replace(grid, occupancy=occupancy), overrides.activation or "relu")
        scene = replace(scene, bounds=_box(grid.corners), assumed=(*scene.assumed, *assumed))
        return LoadedFields.single(field, scene)


def _grid(first: Tensor, facts: Facts, occupancy: Tensor | None, overrides: Overrides) -> tuple[NetworkGrid, bool]:
    """The grid of the networks whose first layer is ``first``, and whether its resolution is guessed.

    The checkpoint does not state it; files beside it may.
    """
    corners = _corners(facts, overrides)
    count = first.shape[0] if first.ndim == 3 else 0
    if not 1 <= count <= MAX_NETWORKS:
        raise DuplexError(f"{FIRST} holds {count} networks: expected 1 to {MAX_NETWORKS} in three dimensions")
    told = facts.resolution
    if told is None and occupancy is not None:
        told = _from_occupancy(count, occupancy)
    return NetworkGrid(corners, told or _cubes(count, corners[1] - corners[0])), told is None


def _corners(facts: Facts, overrides: Overrides) -> Array:
    """The low and the high corner (2, 3) of the box that the grid divides."""
    if facts.corners is not None:
        corners = np.array(facts.corners).reshape(2, 3)
    elif overrides.bounds is not None:
        corners = np.asarray(overrides.bounds, np.float64)
    else:
        raise DuplexError("no file beside it tells its box: give --bounds, or the scene's bbox.txt or training log.txt")
    if corners.shape != (2, 3) or not (np.abs(corners) < MAX_DISTANCE).all() or not (corners[1] > corners[0]).all():
        raise DuplexError(f"a box of {corners.tolist()}: expected low x y z, then a larger high x y z (--bounds)")
    return corners


def _is_node(node: CheckpointNode) -> bool:
    return bool(node.kind) and "domain_min" in node


def _distilled(nodes: CheckpointNode) -> tuple[dict[str, Tensor], NetworkGrid]:
    """Weights of all networks, and their grid, from the pickled nodes of a tree that has no branches."""
    leaves = nodes.children(MAX_PICKLED)
    if not leaves or not all(_is_node(leaf) and "network" in leaf for leaf in leaves):
        raise DuplexError(
            f"{nodes.name}: a tree of networks, or one not trained to its end: expected a grid of trained "
            f"ones, of at most {MAX_PICKLED}"
        )
    grid = _grid_of(nodes, leaves)
    parts = _parts(leaves[0].at("network"))
    if len(parts) * len(leaves) > MAX_PARTS:
        raise DuplexError(f"{nodes.name}: {len(parts)} tensors in each network: not a {NAME} network that duplex knows")
    shapes = {keys: _shape(leaves[0].at("network", *keys[:-1]), keys[-1]) for keys in parts.values()}
    if sum(map(math.prod, shapes.values())) * len(leaves) > MAX_WEIGHTS:
        raise DuplexError(f"{nodes.name}: its networks are too large: a damaged file; copy it again")
    weights = {}
    for name, keys in parts.items():
        found = [leaf.at("network", *keys[:-1]).tensor(keys[-1], shapes[keys]) for leaf in leaves]
        weights[name] = torch.cat(found)
    return weights, grid


def _grid_of(nodes: CheckpointNode, leaves: list[CheckpointNode]) -> NetworkGrid:
    """The grid that the domains of the nodes make, z fastest; raises :class:`DuplexError` where they make none."""
    ends = ("domain_min", "domain_max")
    boxes = np.array([[leaf.numbers(end, 3, limit=MAX_DISTANCE) for end in ends] for leaf in leaves])
    corners = np.stack([boxes[:, 0].min(0), boxes[:, 1].max(0)])
    cell = boxes[0, 1] - boxes[0, 0]
    if not bool((cell > 0).all()):
        raise DuplexError(f"{leaves[0].name}: its domain is empty: a damaged file; copy it again")
    with np.errstate(over="ignore"):
        sides = np.clip(np.rint((corners[1] - corners[0]) / cell), 1, MAX_NETWORKS).astype(int).tolist()
    resolution = (sides[0], sides[1], sides[2])
    if math.prod(resolution) != len(leaves):
        raise DuplexError(f"{nodes.name}: {len(leaves)} networks whose domains make no grid: expected equal cells")
    cells = np.stack(np.meshgrid(*map(np.arange, resolution), indexing="ij"), -1).reshape(-1, 3)
    if not np.allclose(boxes[:, 0], corners[0] + cells * cell, atol=float(cell.min()) * 0.01):
        raise DuplexError(f"{nodes.name}: {len(leaves)} domains that are not in the order of a grid: not supported")
    return NetworkGrid(corners, resolution)


def _parts(network: CheckpointNode) -> dict[str, tuple[str, ...]]:
    """The names that a pickled network's tensors would have in its state dict, and the keys that lead to them."""
    depth = min(len(network.at("_modules", "pts_linears", "_modules").names()), MAX_PARTS)
    layers: dict[str, tuple[str, ...]] = {f"pts_linears.{i}": ("pts_linears", "_modules", str(i)) for i in range(depth)}
    layers |= {name: (name,) for name in HEADS if name in network.at("_modules")}
    return {
        f"{name}.{part}": ("_modules", *keys, "_parameters", part) for name, keys in layers.items() for part in PARTS
    }


def _shape(parameters: CheckpointNode, key: str) -> tuple[int, ...]:
    """The shape of the first network's part: one network's, an (outputs, inputs) matrix or its bias."""
    shape = parameters.shape(key)
    wanted = 3 if key == "weight" else 2
    if shape is None or len(shape) != wanted or shape[0] != 1:
        raise DuplexError(f"{parameters.name}: {key} is missing, or not of one network: a damaged file; copy it again")
    return shape


def _box(corners: Array) -> Box:
    (a, b, c), (d, e, f) = corners.tolist()
    return (a, b, c), (d, e, f)


def _from_occupancy(count: int, occupancy: Tensor) -> tuple[int, int, int] | None:
    """The grid of ``count`` networks whose cells contain equal numbers of occupancy cells, as in all published ones."""
    factor = round((occupancy.numel() / count) ** (1 / 3))
    shape = [side // max(factor, 1) for side in occupancy.shape]
    fits = math.prod(shape) == count and all(s * factor == side for s, side in zip(shape, occupancy.shape, strict=True))
    return (shape[0], shape[1], shape[2]) if fits else None


def _cubes(count: int, size: Array) -> tuple[int, int, int]:
    """The grid of ``count`` networks over a box of ``size`` whose cells are closest to cubes."""
    divisors = [d for d in range(1, count + 1) if count % d == 0]
    grids = [(a, b, count // (a * b)) for a in divisors for b in divisors if count % (a * b) == 0]
    return min(grids, key=lambda grid: float(np.log(size / np.array(grid)).std()))
