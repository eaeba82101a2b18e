"""Weights of nerfstudio's vanilla-nerf."""

from __future__ import annotations

from torch import Tensor

from builders.hash.naive import random_state

VANILLA = {f"mlp_base.layers.{i}": (16, 63 if i == 0 else 79 if i == 4 else 16) for i in range(8)} | {
    "field_output_density.net": (1, 16),
    "mlp_head.layers.0": (12, 27 + 16),
    "mlp_head.layers.1": (12, 12),
    "field_heads.0.net": (3, 12),
}


def vanilla_state() -> dict[str, Tensor]:
    coarse, fine = random_state(VANILLA, 3), random_state(VANILLA, 4)
    return {f"field_coarse.{k}": v for k, v in coarse.items()} | {f"field_fine.{k}": v for k, v in fine.items()}
