"""TensoRF's checkpoints with random weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

GRID = (5, 7, 6)  # x, y, z: all different, so that exchanged axes do not fit
BOX = torch.tensor([[-1.0, -1.2, -0.8], [1.1, 1.0, 1.4]])
MATRIX_AXES, VECTOR_AXES = ((0, 1), (0, 2), (1, 2)), (2, 1, 0)
DENSITY, COLOR, CHANNELS = (2, 3, 4), (4, 3, 2), 5
KINDS = ("split", "vm", "cp")
MODES = ("MLP_Fea", "MLP_PE", "MLP", "SH", "RGB")


def checkpoint(kind: str, mode: str = "MLP_Fea", **changes: Any) -> dict[str, Any]:
    """What ``TensorBase.save`` writes, with random weights."""
    generator = torch.Generator().manual_seed(3)
    channels = {"SH": 27, "RGB": 3}.get(mode, CHANNELS)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * 0.7

    state: dict[str, Tensor] = {}
    if kind == "vm":
        state = {"plane_coef": random(3, 7, 6, 6), "line_coef": random(3, 7, 6, 1)}
        inputs = 3 * 4
    else:
        for name, counts in (("density", DENSITY), ("app", COLOR)):
            for i, (a, b) in enumerate(MATRIX_AXES):
                if kind == "split":
                    state[f"{name}_plane.{i}"] = random(1, counts[i], GRID[b], GRID[a])
            for i, axis in enumerate(VECTOR_AXES):
                state[f"{name}_line.{i}"] = random(1, counts[i] if kind == "split" else counts[0], GRID[axis], 1)
        inputs = sum(COLOR) if kind == "split" else COLOR[0]
    state["basis_mat.weight"] = random(channels, inputs)
    second = {"MLP_Fea": 2 * 2 * channels, "MLP_PE": 2 * 1 * 3, "MLP": 0}
    if mode in second:
        widths = (channels + 3 + second[mode] + 2 * 3 * 3, 8, 8, 3)
        for i in range(3):
            state[f"renderModule.mlp.{2 * i}.weight"] = random(widths[i + 1], widths[i]) / math.sqrt(widths[i])
            state[f"renderModule.mlp.{2 * i}.bias"] = random(widths[i + 1])
    kwargs = {
        "aabb": BOX.clone(),
        "gridSize": [6, 6, 6] if kind == "vm" else list(GRID),
        "density_n_comp": 3 if kind == "vm" else list(DENSITY),
        "appearance_n_comp": 4 if kind == "vm" else list(COLOR),
        "app_dim": channels,
        "density_shift": -0.3,
        "alphaMask_thres": 1e-4,
        "distance_scale": 25,
        "rayMarch_weight_thres": 1e-4,
        "fea2denseAct": "softplus",
        "near_far": [2.0, 6.0],
        "step_ratio": 0.5,
        "shadingMode": mode,
        "pos_pe": 1,
        "view_pe": 3,
        "fea_pe": 2,
        "featureC": 8,
    }
    return {"kwargs": kwargs | changes, "state_dict": state}


def with_mask(content: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint with an occupancy mask of (z, y, x) vertices in a larger box, as the original packs it."""
    volume = np.random.default_rng(4).random((1, 1, 8, 5, 6)) < 0.15
    box = torch.stack([BOX[0] - 0.3, BOX[1] + 0.2])
    member = {"alphaMask.shape": volume.shape, "alphaMask.mask": np.packbits(volume.reshape(-1)), "alphaMask.aabb": box}
    return content | member
