"""brandontrabucco/nerf's networks against a naive one."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from builders.hostile import Hostile, refused
from builders.mlp.layernorm import layernorm_state
from builders.mlp.naive import Reference, State, agree, differ, dtf, layer, random_points
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides


def layernorm_reference(state: State, encoding_first: bool = False, divide: float = 6.0) -> Reference:
    def block(name: str, depth: int, h: Tensor) -> Tensor:
        for i in range(depth):
            h = torch.relu(layer(state, f"{name}.{3 * i}", h))
            h = (h - h.mean(-1, keepdim=True)) / (h.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
            h = h * state[f"{name}.{3 * i + 2}.weight"] + state[f"{name}.{3 * i + 2}.bias"]
        return h

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        e = dtf(x / divide, 10)
        h = block("block_0", 4, e)
        h = block("block_1", 4, torch.cat([e, h] if encoding_first else [h, e], -1))
        sigma = torch.relu(layer(state, "density", h)[:, 0])
        h = block("block_2", 2, torch.cat([h, dtf(d, 6)], -1))
        return sigma, torch.sigmoid(layer(state, "color", h))

    return reference


def test_layernorm_network_matches_a_naive_one(tmp_path: Path) -> None:
    state = layernorm_state()
    torch.save(state, tmp_path / "nerf.pth")
    teacher = load_teacher(tmp_path)
    agree(teacher.fine, layernorm_reference(state), half=2.0)
    assert differ(teacher.fine, layernorm_reference(state, encoding_first=True))
    assert differ(teacher.fine, layernorm_reference(state, divide=1.0))
    assert teacher.coarse is teacher.fine and teacher.scene.background == (0, 0, 0)
    assert "--background" in teacher.scene.assumed[0] and "divided by 6" in teacher.scene.assumed[1]
    softplus = load_teacher(tmp_path, None, Overrides(activation="softplus", samples=(32, 0)))
    assert softplus.scene.fine_samples == 0
    points, _ = random_points()
    assert float(softplus.fine.density(points)[0].min()) > 0


def test_broken_layernorm_files_are_refused(tmp_path: Path) -> None:
    file, state = tmp_path / "nerf.pth", layernorm_state()
    for change, word in (
        ({"block_0.5.weight": torch.ones(25)}, "block_0.5"),
        ({"block_0.5.bias": torch.ones(24, 1)}, "block_0.5"),
        ({"block_1.0.weight": torch.zeros(24, 90)}, "90 inputs"),
        ({"block_0.0.weight": torch.zeros(24, 62)}, "62"),
        ({"color.weight": torch.zeros(4, 24), "color.bias": torch.zeros(4)}, "4 outputs"),
        ({"block_2.3.bias": torch.full((24,), math.nan)}, "NaN"),
        ({"extra": Hostile(f"touch {tmp_path / 'trace'}")}, "refused unread"),
    ):
        torch.save(state | change, file)
        refused(file, word)
    torch.save({k: v for k, v in state.items() if k != "block_1.8.bias"}, file)
    refused(file, "block_1.8")
    assert not (tmp_path / "trace").exists()
