"""tinynerf-slang's checkpoints."""

from __future__ import annotations

import torch

from builders.mlp.naive import State, random_state


def slang_state(change: dict[str, tuple[int, ...]] | None = None) -> State:
    f, s, c = "feature_module.net.net", "sigma_decoder.net.net", "rgb_decoder.net.net"
    shapes = {f"{f}.0": (24, 60), f"{f}.2.0": (24, 24), f"{f}.3.0": (24, 24), f"{f}.4": (20, 24)}
    shapes |= {f"{s}.0": (16, 20), f"{s}.2": (1, 16)}
    shapes |= {f"{c}.0": (16, 24 + 3 + 20), f"{c}.2.0": (16, 16), f"{c}.3": (3, 16)}
    state = random_state(shapes | (change or {}))
    state["feature_module.encoding.freqs"] = 2.0 ** torch.arange(10) * torch.pi
    state["rgb_decoder.pe.freqs"] = 2.0 ** torch.arange(4) * torch.pi
    return state
