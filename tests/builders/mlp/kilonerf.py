"""KiloNeRF's checkpoints, and its networks evaluated one point at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from builders.mlp.naive import Reference, State, random_state

LOW, HIGH, CELLS = np.array([-0.9, -1.2, -0.3]), np.array([0.9, 1.2, 0.9]), (3, 4, 2)
KILO = {
    "pts_linears.0": (24, 16, 63),
    "pts_linears.1": (24, 16, 16),
    "pts_linears.2": (24, 16, 16 + 63),
    "direction_layer": (24, 12, 16 + 27),
    "feature_linear": (24, 16, 16),
    "alpha_linear": (24, 1, 16),
    "rgb_linear": (24, 3, 12),
}
BOX_FILE = "-0.9 -1.2 -0.3 0.9 1.2 0.9 0.4\n"


def kilo_state(change: dict[str, tuple[int, ...]] | None = None) -> State:
    return random_state(KILO | (change or {}))


def as_finetuned(state: State) -> dict[str, Any]:
    """``checkpoint_<step>.pth``: kernels (m, in, out) in a state dict, and what training needs to go on."""
    return {
        "global_step": 10,
        "model_state_dict": {k: v.transpose(1, 2).contiguous() if v.ndim == 3 else v for k, v in state.items()},
        "optimizer_state_dict": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-3}]},
        "torch_rng_state": torch.get_rng_state(),
        "torch_cuda_rng_state": torch.get_rng_state(),
        "numpy_rng_state": np.random.RandomState(0).get_state(),
    }


def kilo_encode(x: Tensor, frequencies: int) -> Tensor:
    parts = []
    for d in range(len(x)):
        parts += [x[d]]
        parts += [torch.cos(2.0**k * x[d]) for k in range(frequencies)]
        parts += [torch.sin(2.0**k * x[d]) for k in range(frequencies)]
    return torch.stack(parts)


def kilo_reference(state: State, occupied: np.ndarray | None = None) -> Reference:
    """One point at a time."""
    size = (HIGH - LOW) / np.array(CELLS)

    def one(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        place = x.double().numpy()
        if (place <= LOW + 0.001).any() or (place >= HIGH - 0.001).any():
            return torch.tensor(0.0), torch.zeros(3)
        if occupied is not None:
            fine = np.floor((place - LOW) / (HIGH - LOW) * np.array(occupied.shape)).astype(int)
            if not occupied[tuple(fine)]:
                return torch.tensor(0.0), torch.zeros(3)
        i, j, k = np.floor((place - LOW) / size).astype(int)
        m = i * CELLS[1] * CELLS[2] + j * CELLS[2] + k

        def apply(name: str, h: Tensor) -> Tensor:
            return state[f"{name}.weight"][m] @ h + state[f"{name}.bias"][m]

        low = LOW + size * np.array([i, j, k])
        e = kilo_encode(torch.from_numpy(2 * (place - low) / size - 1).float(), 10)
        h = torch.relu(apply("pts_linears.0", e))
        h = torch.relu(apply("pts_linears.1", h))
        h = torch.relu(apply("pts_linears.2", torch.cat([e, h])))
        view = torch.relu(apply("direction_layer", torch.cat([apply("feature_linear", h), kilo_encode(d, 4)])))
        return torch.relu(apply("alpha_linear", h)[0]), torch.sigmoid(apply("rgb_linear", view))

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [one(*pair) for pair in zip(x, d, strict=True)]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])

    return reference
