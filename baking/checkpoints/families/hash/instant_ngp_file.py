"""The members of an instant-ngp snapshot: its networks from one run of numbers, and its occupancy grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.tree import MAX_WEIGHTS, CheckpointNode
from duplex.baking.fields.field import MAX_WIDTH
from duplex.baking.fields.hash_grid import (
    HARMONICS,
    MAX_LEVELS,
    MAX_LOG2_ENTRIES,
    HashGrid,
    HashLevel,
    tiny_cuda_levels,
)
from duplex.baking.fields.mlp import Perceptron

FINEST = 2048.0  # resolution of the finest level over the unit cube, where the configuration gives no growth
MAX_SIDE = 1 << 22
MAX_GROWTH = 16.0
ALIGNMENTS = (16, 8, 1)  # of a network's outputs: FullyFusedMLP's and newer CutlassMLP's; older ones'; in float32
FUSED = ("fullyfusedmlp", "megakernelmlp")
PARAMS = {"__half": "f2", "float": "f4"}
THINNEST = 0.01  # optical thickness of the shortest step; thinner cells are skipped

Shape = tuple[int, int]


@dataclass(frozen=True)
class Networks:
    """``grid``, then ``density`` to the raw density and more, then ``color`` on that and the directions' harmonics."""

    grid: HashGrid
    density: Perceptron
    color: Perceptron


def read_networks(root: CheckpointNode, aabb_scale: int) -> Networks:
    """The networks that the configuration describes, from ``params_binary``.

    Its order (``NerfNetwork::set_params``): density network, colour network, hash grid; matrices are (outputs,
    inputs) row by row and without biases, widths padded to the alignment.
    """
    encoding, network, rgb = (root.section(name) for name in ("encoding", "network", "rgb_network"))
    _check_directions(root.section("dir_encoding"))
    levels, features = _levels(encoding, aabb_scale)
    params = _params(root.section("snapshot"))
    entries = levels[-1].start + levels[-1].size
    encoded = _padded(len(levels) * features, 16 if network.said("otype").lower() in FUSED else 8)
    for align in ALIGNMENTS:
        density = _shapes(network, encoded, network.whole("n_output_dims", 1, MAX_WIDTH, 16), align)
        color = _shapes(rgb, _padded(density[-1][0] + HARMONICS, align), 3, align)
        if _count(density) + _count(color) + entries * features == len(params):
            break
    else:
        raise DuplexError(
            f"{len(params)} weights: its configuration describes {_count(density) + _count(color) + entries * features}"
        )
    matrices = _split(params, [*density, *color])
    grid = HashGrid(
        params[_count(density) + _count(color) :].view(entries, features),
        levels,
        0.5,
        smooth=encoding.said("interpolation").lower() == "smoothstep",
    )
    matrices[0] = matrices[0][:, : grid.width()]  # what is padded is zero
    matrices[len(density)] = matrices[len(density)][:, : density[-1][0] + HARMONICS]
    layers = [_layer(matrix) for matrix in matrices]
    return Networks(grid, Perceptron(layers[: len(density)]), Perceptron(layers[len(density) :]))


def occupancy(snapshot: CheckpointNode, cascades: int, cells: int) -> Array:
    """The occupied cells, (cascades, x, y, z) bool, from the density grid; no cascades without such a grid.

    The file's cells are in Morton order: bit ``3 k + i`` of a cell's place is bit ``k`` of its coordinate ``i``.
    """
    binary = snapshot.data("density_grid_binary")
    if not binary:
        return np.zeros((0, cells, cells, cells), bool)
    side = snapshot.whole("density_grid_size", 1, 1 << 16, cells)
    if side != cells or len(binary) not in (c * cascades * cells**3 for c in (2, 4)):
        raise DuplexError(
            f"its density grid has side {side}, and not the size of {cascades} cascades of side {cells}: "
            "a damaged snapshot; save it again"
        )
    wide = len(binary) == 4 * cascades * cells**3
    values = np.frombuffer(binary, "<f4" if wide else "<f2").astype(np.float32).reshape(cascades, -1)
    if np.isnan(values).any():
        raise DuplexError("its density grid holds NaN: the training diverged; use an earlier snapshot")
    threshold = min(THINNEST, float(np.maximum(values[0], 0).mean(dtype=np.float64)))
    spread = np.zeros(cells, np.int64)
    for bit in range(cells.bit_length() - 1):
        spread |= (np.arange(cells) >> bit & 1) << 3 * bit
    morton = spread[:, None, None] | spread[:, None] << 1 | spread << 2
    return (values > threshold)[:, morton]


def _check_directions(encoding: CheckpointNode) -> None:
    """Raise :class:`DuplexError` for anything but spherical harmonics of degrees 0 to 3."""
    nested = encoding.at("nested")
    first = nested.at(0) if nested.is_list and 0 in nested else encoding
    kind, degree = first.said("otype"), first.said("degree", "4")
    if kind.lower() != "sphericalharmonics" or degree != "4":
        raise DuplexError(
            f"directions encoded by {kind} of degree {degree}: duplex reads SphericalHarmonics of degree 4"
        )


def _levels(encoding: CheckpointNode, aabb_scale: int) -> tuple[list[HashLevel], int]:
    """The grid's levels and the features of an entry; what the configuration leaves out is as instant-ngp sets it."""
    for name, default, readable in (
        ("otype", "none", ("HashGrid", "Grid")),
        ("type", "Hash", ("Hash",)),
        ("hash", "CoherentPrime", ("CoherentPrime",)),
        ("interpolation", "Linear", ("Linear", "Smoothstep")),
    ):
        value = encoding.said(name, default)
        if value.lower() not in [word.lower() for word in readable]:
            raise DuplexError(f"positions encoded with {name} {value}: duplex reads {' and '.join(readable)}")
    features = encoding.whole("n_features_per_level", 1, 8, 2)
    total = encoding.whole("n_features", 0, features * MAX_LEVELS, 0)
    count = total // features or encoding.whole("n_levels", 1, MAX_LEVELS, 16)
    log2_entries = encoding.whole("log2_hashmap_size", 3, MAX_LOG2_ENTRIES, 15)
    coarsest = encoding.whole("base_resolution", 0, MAX_SIDE, 0) or 1 << log2_entries // 3
    growth = np.float32(encoding.number("per_level_scale", -MAX_GROWTH, MAX_GROWTH, 0.0))
    if growth <= 0:
        finest = np.float32(FINEST) * np.float32(aabb_scale) / np.float32(coarsest)
        growth = np.exp(np.log(finest, dtype=np.float32) / np.float32(max(count - 1, 1)), dtype=np.float32)
    if not 0.5 < growth < MAX_GROWTH or not 1 <= coarsest * float(growth) ** (count - 1) < MAX_SIDE:
        raise DuplexError(f"a grid that grows from {coarsest} by {growth:g} over {count} levels: a damaged snapshot")
    levels = tiny_cuda_levels(count, coarsest, float(growth), log2_entries)
    if (levels[-1].start + levels[-1].size) * features > MAX_WEIGHTS:
        raise DuplexError(f"its hash grid holds more than {MAX_WEIGHTS} numbers: no network that duplex knows")
    return levels, features


def _params(snapshot: CheckpointNode) -> Tensor:
    """All weights as finite float32 numbers."""
    size = len(snapshot.data("params_binary"))
    count = snapshot.whole("n_params", 1, MAX_WEIGHTS)
    if not size:
        raise DuplexError("params_binary is missing: a snapshot without weights")
    kind = snapshot.said("params_type", "float" if size == 4 * count else "__half")  # old snapshots do not say it
    if kind not in PARAMS:
        raise DuplexError(f"params_binary has numbers of type {kind}: duplex reads {' and '.join(PARAMS)}")
    return snapshot.packed("params_binary", PARAMS[kind], (count,))


def _shapes(network: CheckpointNode, inputs: int, outputs: int, align: int) -> list[Shape]:
    """Shapes (outputs, inputs) of a network's matrices."""
    for name, expected in (("activation", "ReLU"), ("output_activation", "None")):
        if network.said(name, expected).lower() != expected.lower():
            raise DuplexError(f"a network with {name} {network.said(name)}: duplex reads {expected}")
    neurons = network.whole("n_neurons", 1, MAX_WIDTH, 128)
    hidden = network.whole("n_hidden_layers", 0, 16, 5)
    widths = [inputs, *[neurons] * hidden, _padded(outputs, align)]
    return [(after, before) for before, after in pairwise(widths)]


def _padded(width: int, align: int) -> int:
    return -(-width // align) * align


def _count(shapes: list[Shape]) -> int:
    return sum(rows * columns for rows, columns in shapes)


def _split(params: Tensor, shapes: list[Shape]) -> list[Tensor]:
    """The matrices that the numbers begin with."""
    parts = torch.split(params[: _count(shapes)], [rows * columns for rows, columns in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def _layer(matrix: Tensor) -> nn.Linear:
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
    layer.weight.data.copy_(matrix)
    return layer.requires_grad_(False)
