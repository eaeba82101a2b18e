"""tinynerf-slang's networks against a naive one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from builders.hostile import Hostile, refused
from builders.mlp.naive import Reference, State, agree, differ, dtf, layer
from builders.mlp.tinynerf_slang import slang_state
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides


def slang_reference(state: State, low: float = -1.5, high: float = 1.5, direction_last: bool = False) -> Reference:
    def net(name: str, hidden: list[str], last: str, x: Tensor) -> Tensor:
        for h in ("0", *hidden):
            x = torch.relu(layer(state, f"{name}.net.net.{h}", x))
        return layer(state, f"{name}.net.net.{last}", x)

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        inside = ((x >= low) & (x <= high)).all(-1)
        q = (x - low) / (high - low) * 2 - 1
        f = net("feature_module", ["2.0", "3.0"], "4", dtf(q, 10))
        sigma = torch.exp(net("sigma_decoder", [], "2", f)[:, 0] - 1) * inside
        inputs = [f, dtf(d, 4), d] if direction_last else [dtf(d, 4), d, f]
        return sigma, torch.sigmoid(net("rgb_decoder", ["2.0"], "3", torch.cat(inputs, -1)))

    return reference


def test_slang_network_matches_a_naive_one(tmp_path: Path) -> None:
    state = slang_state()
    torch.save(state, tmp_path / "model.pt")
    teacher = load_teacher(tmp_path)
    agree(teacher.fine, slang_reference(state), half=2.0)
    assert differ(teacher.fine, slang_reference(state, direction_last=True))
    assert float(teacher.fine.density(torch.tensor([[0.0, 0, 1.51]]))[0]) == 0
    assert float(teacher.fine.density(torch.tensor([[0.0, 0, 1.49]]))[0]) > 0
    assert teacher.scene.bounds == ((-1.5,) * 3, (1.5,) * 3) and "--bounds" in teacher.scene.assumed[1]
    box = np.array([[-2.0] * 3, [1.0] * 3])
    other = load_teacher(tmp_path, None, Overrides(bounds=box))
    agree(other.fine, slang_reference(state, -2.0, 1.0), half=2.0)
    assert other.scene.bounds == ((-2.0,) * 3, (1.0,) * 3) and len(other.scene.assumed) == 1


def test_broken_slang_files_are_refused(tmp_path: Path) -> None:
    file, state = tmp_path / "model.pt", slang_state()
    f, c = "feature_module.net.net", "rgb_decoder.net.net"
    for changed, word in (
        (slang_state({f"{f}.3.0": (24, 23)}), "23 inputs"),
        (slang_state({"sigma_decoder.net.net.2": (2, 16)}), "2 outputs"),
        (slang_state({f"{c}.0": (16, 40)}), "40 inputs"),
        (state | {"rgb_decoder.pe.freqs": torch.ones(2, 2)}, "frequencies"),
        (state | {"feature_module.encoding.freqs": torch.ones(100)}, "frequencies"),
        (state | {f"{f}.0.bias": torch.full((24,), math.nan)}, "NaN"),
        (state | {"extra": Hostile(f"touch {tmp_path / 'trace'}")}, "refused unread"),
        ({k: v for k, v in state.items() if not k.startswith(f"{f}.4")}, "is missing"),
        ({k: v for k, v in state.items() if not k.startswith("rgb_decoder.pe")}, "frequencies"),
    ):
        torch.save(changed, file)
        refused(file, word)
    torch.save(state, file)
    refused(file, "bounds", overrides=Overrides(bounds=np.zeros((2, 3))))
    assert not (tmp_path / "trace").exists()
