"""instant-ngp's field and density grid, one point at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from builders.hash.instant_ngp import grid_levels
from builders.hash.naive import Array, chain, harmonics, hashed, interpolated, sigmoid


def decoded(i: int) -> tuple[int, int, int]:
    """Coordinates of cell ``i`` of a grid in Morton order."""
    x, y, z = (sum((i >> 3 * bit + axis & 1) << bit for bit in range(7)) for axis in range(3))
    return x, y, z


def is_matter(cascade: Array, x: Array, y: Array, z: Array) -> Array:
    """Which cells the tests' density grids mark: no two axes alike, nor two cascades."""
    return (x // 4 % 3 != 0) & (y // 8 % 3 != 1) & ((z + 20 * cascade) // 16 % 4 != 2)


def density_grid(cascades: int) -> bytes:
    """A density grid as instant-ngp saves it: cells never seen are negative, the threshold is 0.01."""
    cells = np.array([decoded(i) for i in range(512)])  # the low 9 bits; the others likewise, three bits further
    low, high = cells[np.arange(1 << 21) & 511], cells[np.arange(1 << 21) >> 9 & 511]
    x, y, z = (low + 8 * high + 64 * np.array([decoded(i) for i in range(8)])[np.arange(1 << 21) >> 18]).T
    grids = [np.where(is_matter(np.array(c), x, y, z), 0.5, np.where(x % 2, 0.009, -1.0)) for c in range(cascades)]
    return np.concatenate(grids).astype("<f2").tobytes()


def occupied(q: Array, cascades: int) -> bool:
    """Whether instant-ngp looks for matter at a point of its own frame."""
    cascade = 0
    while np.abs(q - 0.5).max() >= 0.5 * 2**cascade and cascade < cascades - 1:
        cascade += 1
    cell = np.floor(((q - 0.5) / 2**cascade + 0.5) * 128).astype(int)
    return bool(is_matter(np.array(cascade), *cell))


def ngp_reference(
    content: dict[str, Any], p: Array, d: Array, outputs: int = 16, change: str = ""
) -> tuple[float, Array]:
    """Density per world unit and colour at one point of the world, as NerfNetwork and its renderer have them."""
    state, encoding = content["snapshot"], content["encoding"]
    dataset, aabb_scale = state["nerf"]["dataset"], state["nerf"]["aabb_scale"]
    q, v = p * dataset["scale"] + np.array(dataset["offset"]), d
    if dataset["from_mitsuba"] == (change == "axes"):
        q, v = q[[1, 2, 0]], d[[1, 2, 0]]
    crop = state["render_aabb"]
    if not ((q >= crop["min"]) & (q <= crop["max"])).all():
        return 0.0, np.zeros(0)
    if state["density_grid_binary"] and not occupied(q, aabb_scale.bit_length()):
        return 0.0, np.zeros(0)
    x = (q - (0.5 - 0.5 * aabb_scale)) / aabb_scale

    params = np.frombuffer(state["params_binary"], "<f4" if state["params_type"] == "float" else "<f2").astype(float)
    levels, features = grid_levels(encoding, aabb_scale), encoding["n_features_per_level"]
    inputs = -(-len(levels) * features // 16) * 16
    matrices = []
    for rows, columns in [(16, inputs), (16, 16), (16, 32), (16, 16), (outputs, 16)]:
        block, params = params[: rows * columns], params[rows * columns :]
        matrices.append(block.reshape(columns, rows).T if change == "transposed" else block.reshape(rows, columns))
    table = params.reshape(-1, features)

    encoded: list[float] = []
    for scale, side, size in levels:

        def entry(cell: tuple[int, ...], side: int = side, size: int = size, table: Array = table) -> Array:
            place = cell[0] + cell[1] * side + cell[2] * side**2 if side**3 <= size else hashed(cell, size)
            return np.asarray(table[place % size])

        shift = 0.0 if change == "shift" else 0.5
        encoded += list(interpolated(x * scale + shift, entry, encoding.get("interpolation") == "Smoothstep"))
        table = table[size:]
    encoded += [0.0] * (inputs - len(encoded))
    h = chain(np.array(encoded), [(matrices[0], 0.0), (matrices[1], 0.0)])
    sh = np.array(harmonics(v))
    if change != "phase":
        sh[1::2] *= -1
    y = np.concatenate([sh, h] if change == "order" else [h, sh])
    raw = chain(y, [(matrix, 0.0) for matrix in matrices[2:]])[:3]
    rgb = np.minimum(np.exp(raw), 1) if dataset["is_hdr"] else sigmoid(raw)
    return math.exp(h[0]) * (1.0 if change == "scale" else dataset["scale"]), rgb
