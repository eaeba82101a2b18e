"""brandontrabucco/nerf's checkpoints."""

from __future__ import annotations

import torch

from builders.mlp.naive import State, random_state


def layernorm_state() -> State:
    linears = {"density": (1, 24), "color": (3, 24)}
    for block, inputs, depth in (("block_0", 60, 4), ("block_1", 24 + 60, 4), ("block_2", 24 + 36, 2)):
        linears |= {f"{block}.{3 * i}": (24, 24 if i else inputs) for i in range(depth)}
    state = random_state(linears)
    generator = torch.Generator().manual_seed(3)
    for block, depth in (("block_0", 4), ("block_1", 4), ("block_2", 2)):
        for i in range(depth):
            state[f"{block}.{3 * i + 2}.weight"] = torch.rand(24, generator=generator) + 0.5
            state[f"{block}.{3 * i + 2}.bias"] = torch.randn(24, generator=generator) * 0.2
    return state
