"""Checkpoints of creiser/kilonerf (Reiser et al., ICCV 2021): thousands of tiny networks, one for each cell of a grid.

Three files are known: ``checkpoint_<step>.pth`` of the fine-tuned networks, the ``checkpoint.pth`` of the distillation
before it, and ``checkpoint_<step>.pth`` of the one large network before that, which is nerf-pytorch's.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.families.mlp import nerf_pytorch
from duplex.baking.checkpoints.families.mlp.kilonerf_field import HEADS, MAX_NETWORKS, KiloNerf, NetworkGrid
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import MAX_WEIGHTS, Checkpoint, check_tensors, read_checkpoint, read_small_text
from duplex.baking.checkpoints.pickles import LONE, Inert
from duplex.baking.checkpoints.plain_yaml import plain_yaml
from duplex.baking.fields.field import Overrides, SceneInfo

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
NUMBER = r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?"
LOG = re.compile(r"global_domain_min: \[(.*?)\], global_domain_max: \[(.*?)\], near: (\S+), far: (\S+),")
ASSUMED = "near 2, far 6, white background, 192 + 128 samples (--near, --far, --background, --samples)"
MAX_OCCUPANCY = 1 << 28
MAX_CONFIGS = 16


class KiloNerfFamily(Family):
    """Checkpoints of creiser/kilonerf, of all three stages."""

    name = NAME
    state_classes = STATE_CLASSES

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint has this family's members."""
        state, nodes = checkpoint.content.get(STATE), checkpoint.content.get(NODES)
        tiny = isinstance(state, dict) and isinstance(state.get(FIRST), Tensor)
        return checkpoint.kind == "torch" and (tiny or (isinstance(nodes, list) and _is_node(nodes[:1] and nodes[0])))

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and the scene from the files beside the checkpoint."""
        facts = _facts(checkpoint.path.parent)
        near, far = facts.get("depths", (2.0, 6.0))
        scene = SceneInfo(near=near, far=far, coarse_samples=192, fine_samples=128, assumed=(ASSUMED,))
        nodes = checkpoint.content.get(NODES)
        if not isinstance(nodes, list) and checkpoint.content[STATE][FIRST].ndim == 2:
            teacher = nerf_pytorch.network(checkpoint.tensors(STATE), overrides)
            return LoadedFields.single(teacher, scene)
        occupancy = _occupancy(checkpoint.path.parent)
        assumed = [] if occupancy is not None else ["no empty space, as no occupancy.pth is beside it"]
        if isinstance(nodes, list):
            weights, grid = _distilled(nodes, checkpoint.path)
        else:
            weights = checkpoint.tensors(STATE)
            grid, guessed = _grid(weights[FIRST], facts, occupancy, overrides)
            if guessed:
                cells = " x ".join(map(str, grid.resolution))
                assumed.append(f"a grid of {cells} networks, as no configuration is beside it")
        field = KiloNerf(weights, replace(grid, occupancy=occupancy), overrides.activation or "relu")
        low, high = _triple(grid.corners[0].tolist()), _triple(grid.corners[1].tolist())
        return LoadedFields.single(field, replace(scene, bounds=(low, high), assumed=(*scene.assumed, *assumed)))


def _grid(
    first: Tensor, facts: dict[str, Any], occupancy: Tensor | None, overrides: Overrides
) -> tuple[NetworkGrid, bool]:
    """The grid of the networks whose first layer is ``first``, and whether its resolution is guessed.

    The checkpoint does not state it; files beside it may.
    """
    corners = _corners(facts, overrides)
    count = first.shape[0] if first.ndim == 3 else 0
    if not 1 <= count <= MAX_NETWORKS:
        raise DuplexError(f"{FIRST} holds {count} networks: expected 1 to {MAX_NETWORKS} in three dimensions")
    told: tuple[int, int, int] | None = facts.get("resolution")
    if told is None and occupancy is not None:
        told = _from_occupancy(count, occupancy)
    return NetworkGrid(corners, told or _cubes(count, corners[1] - corners[0])), told is None


def _is_node(value: Any) -> bool:
    return isinstance(value, Inert) and isinstance(value.state, dict) and "domain_min" in value.state


def _distilled(nodes: list[Any], path: Path) -> tuple[dict[str, Tensor], NetworkGrid]:
    """Weights of all networks, and their grid, from the pickled nodes of a tree that has no branches."""
    if not 1 <= len(nodes) <= MAX_NETWORKS or not all(_is_node(node) and "network" in node.state for node in nodes):
        raise DuplexError(f"{path}: a tree of networks, or one not trained to its end: expected a grid of trained ones")
    boxes = np.array([[_triple(node.state.get(key)) for key in ("domain_min", "domain_max")] for node in nodes])
    corners = np.stack([boxes[:, 0].min(0), boxes[:, 1].max(0)])
    cell = boxes[0, 1] - boxes[0, 0]
    if not bool(np.isfinite(boxes).all() and (cell > 0).all()):
        raise DuplexError(f"{path}: a network's domain is empty: a damaged file; copy it again")
    shape = np.clip(np.rint((corners[1] - corners[0]) / cell), 1, MAX_NETWORKS).astype(int)
    resolution = (int(shape[0]), int(shape[1]), int(shape[2]))
    if math.prod(resolution) != len(nodes):
        raise DuplexError(f"{path}: {len(nodes)} networks whose domains make no grid: expected a grid of equal cells")
    cells = np.stack(np.meshgrid(*map(np.arange, resolution), indexing="ij"), -1).reshape(-1, 3)
    if not np.allclose(boxes[:, 0], corners[0] + cells * cell, atol=float(cell.min()) * 0.01):
        raise DuplexError(f"{path}: {len(nodes)} networks whose domains are not in the order of a grid: not supported")
    states = [check_tensors(_parameters(node.state["network"]), path, NODES) for node in nodes]
    first = {key: tensor.shape for key, tensor in states[0].items()}
    if any(first != {key: tensor.shape for key, tensor in state.items()} for state in states):
        raise DuplexError(f"{path}: its networks differ in their layers: a damaged file; copy it again")
    if (
        any(len(shape) < 2 for shape in first.values())
        or sum(map(math.prod, first.values())) * len(nodes) > MAX_WEIGHTS
    ):
        raise DuplexError(f"{path}: its networks are no lists of layers, or too large: a damaged file; copy it again")
    return {key: torch.cat([state[key] for state in states]) for key in first}, NetworkGrid(corners, resolution)


def _parameters(network: Any) -> dict[str, Any]:
    """Names and tensors of a pickled network, as its state dict would have them."""
    modules = network.members("_modules") if isinstance(network, Inert) else {}
    trunk = modules.get("pts_linears")
    trunk = trunk.members("_modules") if isinstance(trunk, Inert) else {}
    layers = {f"pts_linears.{i}": layer for i, layer in trunk.items()} | {name: modules.get(name) for name in HEADS}
    return {
        f"{name}.{part}": layer.members("_parameters").get(part)
        for name, layer in layers.items()
        if isinstance(layer, Inert)
        for part in ("weight", "bias")
    }


def _triple(value: Any) -> tuple[float, float, float]:
    """Three numbers; NaN where they are none."""
    if isinstance(value, (list, tuple)) and len(value) == 3 and all(isinstance(x, (int, float)) for x in value):
        return float(value[0]), float(value[1]), float(value[2])
    return math.nan, math.nan, math.nan


def _facts(folder: Path) -> dict[str, Any]:
    """Values from ``log.txt``, ``bbox.txt``, ``near_and_far.txt`` and ``.yaml`` files beside a checkpoint."""
    facts: dict[str, Any] = {}
    for low, high, near, far in LOG.findall(read_small_text(folder / "log.txt")):
        facts["corners"] = _numbers(low) + _numbers(high)
        facts["depths"] = (*_numbers(near), *_numbers(far), 2.0, 6.0)[:2]
    box, depths = (_numbers(read_small_text(folder / name)) for name in ("bbox.txt", "near_and_far.txt"))
    facts |= {"corners": box[:6]} if len(box) >= 6 else {}
    facts |= {"depths": depths} if len(depths) == 2 else {}
    for file in sorted(folder.glob("*.yaml"))[:MAX_CONFIGS]:
        try:
            config = plain_yaml(read_small_text(file))
        except (yaml.YAMLError, ValueError, RecursionError):
            continue
        sides = config.get("fixed_resolution") if isinstance(config, dict) else None
        if (
            isinstance(sides, list)
            and len(sides) == 3
            and all(isinstance(s, int) and 0 < s <= MAX_NETWORKS for s in sides)
        ):
            facts["resolution"] = tuple(sides)
    return facts


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(NUMBER, text)[:16]]


def _corners(facts: dict[str, Any], overrides: Overrides) -> Array:
    """The low and the high corner (2, 3) of the box that the grid divides."""
    if len(facts.get("corners", ())) == 6:
        corners = np.array(facts["corners"]).reshape(2, 3)
    elif overrides.bounds is not None:
        corners = np.asarray(overrides.bounds, np.float64)
    else:
        raise DuplexError("no file beside it tells its box: give --bounds, or the scene's bbox.txt or training log.txt")
    if corners.shape != (2, 3) or not bool((np.diff(corners, axis=0) > 0).all() and np.isfinite(corners).all()):
        raise DuplexError(f"a box of {corners.tolist()}: expected low x y z, then a larger high x y z (--bounds)")
    return corners


def _occupancy(folder: Path) -> Tensor | None:
    """The occupancy grid (x, y, z) bool in ``occupancy.pth`` beside the checkpoint; None without it."""
    file = folder / "occupancy.pth"
    if not file.is_file():
        return None
    grid = read_checkpoint(file, STATE_CLASSES).content.get(LONE)
    if (
        not isinstance(grid, Tensor)
        or grid.dtype != torch.bool
        or grid.ndim != 3
        or not 0 < grid.numel() <= MAX_OCCUPANCY
    ):
        raise DuplexError(
            f"{file}: expected a grid of true and false in three dimensions, as build_occupancy_tree writes it"
        )
    return grid


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
