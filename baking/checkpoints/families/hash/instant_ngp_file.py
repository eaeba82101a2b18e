"""The members of an instant-ngp snapshot: its networks from one run of numbers, and its occupancy grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import MAX_WEIGHTS, Checkpoint, tensor_of
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
ALIGNMENTS = (16, 8, 1)  # of a network's outputs: FullyFusedMLP's and newer CutlassMLP's; older ones'; in float32
FUSED = ("fullyfusedmlp", "megakernelmlp")
THINNEST = 0.01  # optical thickness of the shortest step; thinner cells are skipped

Shape = tuple[int, int]


@dataclass(frozen=True)
class Networks:
    """``grid``, then ``density`` to the raw density and more, then ``color`` on that and the directions' harmonics."""

    grid: HashGrid
    density: Perceptron
    color: Perceptron


def read_networks(checkpoint: Checkpoint, aabb_scale: int) -> Networks:
    """The networks that the configuration describes, from ``params_binary``.

    Its order (``NerfNetwork::set_params``): density network, colour network, hash grid; matrices are (outputs,
    inputs) row by row and without biases, widths padded to the alignment.
    """
    content = checkpoint.content
    encoding, network, rgb = (_section(content, name) for name in ("encoding", "network", "rgb_network"))
    _check_directions(_section(content, "dir_encoding"))
    levels, features = _levels(encoding, aabb_scale)
    params = _params(checkpoint)
    entries = levels[-1].start + levels[-1].size
    encoded = _padded(len(levels) * features, 16 if said(network.get("otype")).lower() in FUSED else 8)
    for align in ALIGNMENTS:
        density = _shapes(network, encoded, whole(network, "n_output_dims", 16, (1, MAX_WIDTH)), align)
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
        smooth=said(encoding.get("interpolation")).lower() == "smoothstep",
    )
    matrices[0] = matrices[0][:, : grid.width()]  # what is padded is zero
    matrices[len(density)] = matrices[len(density)][:, : density[-1][0] + HARMONICS]
    layers = [_layer(matrix) for matrix in matrices]
    return Networks(grid, Perceptron(layers[: len(density)]), Perceptron(layers[len(density) :]))


def occupancy(snapshot: dict[str, Any], cascades: int, cells: int) -> Array:
    """The occupied cells, (cascades, x, y, z) bool, from the density grid; no cascades without such a grid.

    The file's cells are in Morton order: bit ``3 k + i`` of a cell's place is bit ``k`` of its coordinate ``i``.
    """
    binary = snapshot.get("density_grid_binary", b"")
    if isinstance(binary, bytes) and not binary:
        return np.zeros((0, cells, cells, cells), bool)
    side = whole(snapshot, "density_grid_size", cells, (1, 1 << 16))
    if not isinstance(binary, bytes) or side != cells or len(binary) not in (c * cascades * cells**3 for c in (2, 4)):
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


def whole(options: dict[str, Any], name: str, default: int, limits: tuple[int, int]) -> int:
    """The whole number ``name``; raises :class:`DuplexError` for anything outside ``limits``."""
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not limits[0] <= value <= limits[1]:
        raise DuplexError(
            f"{name} is {said(value)}: expected a whole number from {limits[0]} to {limits[1]}: a damaged snapshot"
        )
    return value


def numbers(options: dict[str, Any], name: str, default: Any, shape: tuple[int, ...]) -> Array:
    """The finite numbers ``name``, an array of ``shape``; raises :class:`DuplexError` for anything else."""
    value = options.get(name, default)
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.array(np.nan)
    if array.shape != shape or not np.isfinite(array).all():
        raise DuplexError(f"{name} is {said(value)}: expected finite numbers of shape {shape}: a damaged snapshot")
    return array


def said(value: Any) -> str:
    """A value from a file, short enough for an error; for anything but a word or a number, its type."""
    return " ".join(str(value).split())[:40] if isinstance(value, (str, int, float)) else type(value).__name__


def _section(content: dict[str, Any], name: str) -> dict[str, Any]:
    section = content.get(name)
    if not isinstance(section, dict):
        raise DuplexError(f"its configuration has no {name}: not a NeRF snapshot that duplex knows")
    return section


def _check_directions(encoding: dict[str, Any]) -> None:
    """Raise :class:`DuplexError` for anything but spherical harmonics of degrees 0 to 3."""
    nested = encoding.get("nested")
    first = nested[0] if isinstance(nested, list) and nested else encoding
    first = first if isinstance(first, dict) else {}
    kind = said(first.get("otype"))
    degree = said(first.get("degree", 4))
    if kind.lower() != "sphericalharmonics" or degree != "4":
        raise DuplexError(
            f"directions encoded by {kind} of degree {degree}: duplex reads SphericalHarmonics of degree 4"
        )


def _levels(encoding: dict[str, Any], aabb_scale: int) -> tuple[list[HashLevel], int]:
    """The grid's levels and the features of an entry; what the configuration leaves out is as instant-ngp sets it."""
    for name, default, readable in (
        ("otype", "none", ("HashGrid", "Grid")),
        ("type", "Hash", ("Hash",)),
        ("hash", "CoherentPrime", ("CoherentPrime",)),
        ("interpolation", "Linear", ("Linear", "Smoothstep")),
    ):
        value = said(encoding.get(name, default))
        if value.lower() not in [word.lower() for word in readable]:
            raise DuplexError(f"positions encoded with {name} {value}: duplex reads {' and '.join(readable)}")
    features = whole(encoding, "n_features_per_level", 2, (1, 8))
    total = whole(encoding, "n_features", 0, (0, 8 * MAX_LEVELS))
    count = total // features or whole(encoding, "n_levels", 16, (1, MAX_LEVELS))
    log2_entries = whole(encoding, "log2_hashmap_size", 15, (3, MAX_LOG2_ENTRIES))
    coarsest = whole(encoding, "base_resolution", 0, (0, MAX_SIDE)) or 1 << log2_entries // 3
    growth = np.float32(numbers(encoding, "per_level_scale", 0.0, ()))
    if growth <= 0:
        finest = np.float32(FINEST) * np.float32(aabb_scale) / np.float32(coarsest)
        growth = np.exp(np.log(finest, dtype=np.float32) / np.float32(max(count - 1, 1)), dtype=np.float32)
    if not 0.5 < growth < 16 or not 1 <= coarsest * float(growth) ** (count - 1) < MAX_SIDE:
        raise DuplexError(f"a grid that grows from {coarsest} by {growth:g} over {count} levels: a damaged snapshot")
    levels = tiny_cuda_levels(count, coarsest, float(growth), log2_entries)
    if (levels[-1].start + levels[-1].size) * features > MAX_WEIGHTS:
        raise DuplexError(f"its hash grid holds more than {MAX_WEIGHTS} numbers: no network that duplex knows")
    return levels, features


def _params(checkpoint: Checkpoint) -> Tensor:
    """All weights as finite float32 numbers."""
    snapshot = checkpoint.content["snapshot"]
    binary, kind = snapshot.get("params_binary"), snapshot.get("params_type")
    count = whole(snapshot, "n_params", 0, (1, MAX_WEIGHTS))
    if not isinstance(binary, bytes) or not binary:
        raise DuplexError("params_binary is missing: a snapshot without weights")
    kind = said(kind) if kind is not None else "float" if len(binary) == 4 * count else "__half"  # not said of old
    dtype = {"__half": "<f2", "float": "<f4"}.get(kind)
    if dtype is None or len(binary) != count * np.dtype(dtype).itemsize:
        raise DuplexError(f"params_binary has {len(binary)} bytes: expected {count} numbers of type {kind}")
    return tensor_of(np.frombuffer(binary, dtype), checkpoint.path, "params_binary")


def _shapes(network: dict[str, Any], inputs: int, outputs: int, align: int) -> list[Shape]:
    """Shapes (outputs, inputs) of a network's matrices."""
    for name, expected in (("activation", "ReLU"), ("output_activation", "None")):
        if said(network.get(name, expected)).lower() != expected.lower():
            raise DuplexError(f"a network with {name} {said(network[name])}: duplex reads {expected}")
    neurons = whole(network, "n_neurons", 128, (1, MAX_WIDTH))
    hidden = whole(network, "n_hidden_layers", 5, (0, 16))
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
