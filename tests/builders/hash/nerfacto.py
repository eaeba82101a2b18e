"""Weights of nerfstudio's nerfacto, and its field evaluated one point at a time."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from builders.hash.naive import Array, chain, harmonics, hashed, interpolated, random_state, sigmoid

LEVELS, LOG2, COARSEST, FINEST, FEATURES, GEOMETRY, APPEARANCE = 4, 9, 5, 40, 2, 6, 5
LAYOUTS = [
    ("mlp_base.model.0.hash_table", "mlp_base.model.1"),
    ("mlp_base_grid.hash_table", "mlp_base_mlp"),
    ("mlp_base.0.hash_table", "mlp_base.1"),
]


def nerfacto_state(layout: tuple[str, str] = LAYOUTS[0], appearance: int = APPEARANCE) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    shapes = {
        f"{layout[1]}.layers.0": (16, LEVELS * FEATURES),
        f"{layout[1]}.layers.1": (1 + GEOMETRY, 16),
        "mlp_head.layers.0": (12, 16 + GEOMETRY + appearance),
        "mlp_head.layers.1": (12, 12),
        "mlp_head.layers.2": (3, 12),
    }
    state = random_state(shapes) | {
        layout[0]: torch.randn(LEVELS << LOG2, FEATURES, generator=generator),
        "aabb": torch.tensor([[-1.0, -1.5, -1.0], [1.0, 1.25, 2.0]]),
        "max_res": torch.tensor(FINEST),
        "num_levels": torch.tensor(LEVELS),
        "log2_hashmap_size": torch.tensor(LOG2),
    }
    if appearance:
        state["embedding_appearance.embedding.weight"] = torch.randn(7, appearance, generator=generator) + 1
    proposal = {"proposal_networks.0.mlp_base.0.hash_table": torch.zeros(8, 2)}
    return {f"field.{name}": value for name, value in state.items()} | proposal


def nerfacto_reference(
    state: dict[str, Tensor], p: Array, d: Array, options: dict[str, Any], change: str = ""
) -> tuple[float, Array]:
    """Density and colour at one point of the world, as NerfactoField has them in evaluation."""
    layout = options.get("layout", LAYOUTS[0])
    if options.get("contracted", True):
        size = np.abs(p).max()
        x = ((p if size < 1 else (2 - 1 / size) * p / size) + 2) / 4
    else:
        low, high = state["field.aabb"].double().numpy()
        x = (p - low) / (high - low)
    if not ((x > 0) & (x < 1)).all():
        return 0.0, np.zeros(0)
    table = state[f"field.{layout[0]}"].double().numpy()
    coarsest = options.get("coarsest", COARSEST)
    growth = math.exp((math.log(FINEST) - math.log(coarsest)) / (LEVELS - 1))
    features = []
    for level in range(LEVELS):
        scale = math.floor(coarsest * growth**level + 1e-6)
        shift = 0.5 if change == "shift" else 0.0

        def entry(cell: tuple[int, ...], level: int = level) -> Array:
            cell = cell[::-1] if change == "axes" else cell
            return np.asarray(table[(level << LOG2) + hashed(cell, 1 << LOG2)])

        features.append(interpolated(x * scale + shift, entry))

    def layers(name: str, count: int) -> list[tuple[Array, Array | float]]:
        keys = [f"field.{name}.layers.{i}" for i in range(count)]
        return [(state[f"{k}.weight"].double().numpy(), state[f"{k}.bias"].double().numpy()) for k in keys]

    base = chain(np.concatenate(features), layers(layout[1], 2))
    sigma = options.get("gain", 1.0) * math.exp(base[0])
    sh = np.array(harmonics(d if change == "directions" else (d + 1) / 2))
    if change == "phase":
        sh[1::2] *= -1
    weight = state["field.embedding_appearance.embedding.weight"].double().numpy()
    appearance = weight.mean(0) if options.get("average", True) != (change == "appearance") else np.zeros(APPEARANCE)
    head = [sh, base[:-1], appearance] if change == "geometry" else [sh, base[1:], appearance]
    return sigma, sigmoid(chain(np.concatenate(head), layers("mlp_head", 3)))


def nerfacto_options(**options: Any) -> str:
    return "\n".join(f"    {key}: {json.dumps(value)}" for key, value in {"base_res": COARSEST, **options}.items())
