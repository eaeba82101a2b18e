"""nerf_pl's checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from builders.mlp.naive import State, random_state

PL = {
    **{f"xyz_encoding_{i}.0": (24, 24) for i in range(1, 9)},
    "xyz_encoding_1.0": (24, 63),
    "xyz_encoding_5.0": (24, 24 + 63),
    "xyz_encoding_final": (24, 24),
    "dir_encoding.0": (12, 24 + 27),
    "sigma": (1, 24),
    "rgb.0": (3, 12),
}
HPARAMS = {
    "root_dir": "/data",
    "dataset_name": "blender",
    "img_wh": [400, 200],
    "N_samples": 32,
    "N_importance": 64,
    "spheric_poses": False,
}


def pl_states(change: dict[str, tuple[int, ...]] | None = None) -> tuple[State, State]:
    return random_state(PL | (change or {}), 1), random_state(PL | (change or {}), 2)


def pl_content(coarse: State, fine: State, hparams: object, name: str) -> dict[str, Any]:
    """A Lightning checkpoint, with the members that nobody needs."""
    state = {f"nerf_coarse.{k}": v for k, v in coarse.items()} | {f"nerf_fine.{k}": v for k, v in fine.items()}
    return {
        "epoch": 15,
        "global_step": 200000,
        "pytorch-lightning_version": "0.7.3",
        "state_dict": state,
        "optimizer_states": [{"state": {0: {"step": 3, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 5e-4}]}],
        "checkpoint_callback_best": np.float64(31.2),
        name: hparams,
    }
