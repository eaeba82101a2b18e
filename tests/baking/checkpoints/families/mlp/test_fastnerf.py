"""FastNeRF's networks against a naive one."""

from __future__ import annotations

import math
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from builders.hostile import Hostile, refused
from builders.mlp.fastnerf import FastNerf, fast_module
from builders.mlp.naive import Reference, State, agree, classes, differ, ftd, layer, random_points
from duplex.baking.checkpoints.families.mlp.fastnerf import FastNerf as LoadedFastNerf
from duplex.baking.checkpoints.loading import load_teacher


def fast_reference(state: State, transposed: bool = False) -> Reference:
    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        h = ftd(x, 10)
        for i in (0, 2):
            h = torch.relu(layer(state, f"Fpos.{i}", h))
        raw = layer(state, "Fpos.4", h)
        beta = torch.softmax(layer(state, "Fdir.2", torch.relu(layer(state, "Fdir.0", ftd(d, 4)))), -1)
        uvw = torch.sigmoid(raw[:, 1:])
        uvw = uvw.reshape(-1, 5, 3).transpose(1, 2) if transposed else uvw.reshape(-1, 3, 5)
        color = sum(beta[:, k : k + 1] * uvw[:, :, k] for k in range(5))
        return torch.log1p(torch.exp(raw[:, 0])), color

    return reference


def save_module(content: object, file: Path, legacy: bool = False) -> None:
    with classes("__main__", FastNerf):
        torch.save(content, file, _use_new_zipfile_serialization=not legacy)


@pytest.mark.parametrize("kind", ["module", "state dict", "legacy state dict"])
def test_fastnerf_matches_a_naive_network(tmp_path: Path, kind: str) -> None:
    module = fast_module()
    state = {k: v.clone() for k, v in module.state_dict().items()}
    save_module(module if kind == "module" else state, tmp_path / "model.pth", kind.startswith("legacy"))
    teacher = load_teacher(tmp_path)
    assert isinstance(teacher.fine, LoadedFastNerf)
    agree(teacher.fine, fast_reference(state))
    assert differ(teacher.fine, fast_reference(state, transposed=True))
    assert len(teacher.scene.assumed) == 1


def test_broken_fastnerf_files_are_refused(tmp_path: Path) -> None:
    file, trace = tmp_path / "model.pth", tmp_path / "trace"
    state = {k: v.clone() for k, v in fast_module().state_dict().items()}
    for change, word in (
        ({"Fpos.4.weight": torch.zeros(17, 24), "Fpos.4.bias": torch.zeros(17)}, "17 values"),
        ({"Fpos.2.weight": torch.zeros(24, 23)}, "23 inputs"),
        ({"Fdir.0.weight": torch.zeros(12, 28)}, "28"),
        ({"Fpos.0.bias": torch.full((24,), math.nan)}, "NaN"),
        ({"Fpos.0.bias": torch.zeros(2)}, "do not fit"),
    ):
        torch.save(state | change, file)
        refused(file, word)
    module = fast_module()
    module.Fpos[2].bias = None
    save_module(module, file)
    refused(file, "layer Fpos.2 is missing")
    module = fast_module()
    module.extra = Hostile(f"touch {trace}")
    save_module(module, file)
    refused(file, "refused unread")
    module = fast_module()
    module.Fpos[0] = nn.Conv1d(63, 24, 1)
    save_module(module, file)
    refused(file, "refused unread", "Conv1d")
    with warnings.catch_warnings():  # that torch finds no source code of the class
        warnings.simplefilter("ignore")
        save_module(fast_module(), file, legacy=True)
        refused(file, "refused unread", "torch.nn.Module")
        file.write_bytes(pickle.dumps(Hostile(f"touch {trace}")))
        refused(file)
    assert not trace.exists()


def test_degenerate_fastnerf_is_loaded_and_said_to_be_so(data: Path) -> None:
    teacher = load_teacher(data / "checkpoints" / "foreign" / "fastnerf_degenerate.pth")
    assert teacher.fine.describe()["network"] == "8 layers of 384, a mixture of 8 colours"
    assert "training has failed" in teacher.scene.assumed[1]
    assert teacher.fine.describe()["density"] == "softplus, the same everywhere"
    points, directions = random_points()
    sigma, latent = teacher.fine.density(points)
    color = teacher.fine.color(latent, directions)
    assert bool(((sigma > 0.69) & (sigma < 0.70)).all())
    assert bool(((color > 0.51) & (color < 0.52)).all())  # uniform grey
