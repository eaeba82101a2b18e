"""Wrong and hostile files of TensoRF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from builders.grid.tensorf import BOX, checkpoint, with_mask
from builders.hostile import Hostile
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher


def refused(folder: Path, content: dict[str, Any], *words: str) -> None:
    torch.save(content, folder / "wrong.th")
    with pytest.raises(DuplexError) as error:
        load_teacher(folder / "wrong.th")
    text = str(error.value)
    assert "\n" not in text and "wrong.th" in text and all(word in text for word in words), text


def state_with(kind: str = "split", **changes: Tensor | None) -> dict[str, Any]:
    content = checkpoint(kind)
    for name, value in changes.items():
        key = name.replace("__", ".")
        content["state_dict"].pop(key, None)
        if value is not None:
            content["state_dict"][key] = value
    return content


def test_wrong_weights_are_refused_in_one_sentence(tmp_path: Path) -> None:
    refused(tmp_path, state_with(app_plane__1=None), "app_plane.1 is missing")
    refused(tmp_path, state_with(density_line__2=None), "density_line.0, 1, 2")
    refused(tmp_path, state_with(density_plane__0=torch.zeros(1, 2, 5, 7)), "density_plane.0", "does not fit")
    refused(tmp_path, state_with(app_line__0=torch.zeros(1, 9, 6, 1)), "app_plane.0", "does not fit")
    refused(tmp_path, state_with(app_line__0=torch.full((1, 4, 6, 1), torch.nan)), "NaN", "app_line.0")
    refused(tmp_path, state_with(basis_mat__weight=torch.zeros(5, 8)), "basis_mat.weight", "9 components")
    refused(tmp_path, state_with(**{"renderModule__mlp__2__bias": None}), "renderModule.mlp.2 is missing")
    refused(tmp_path, state_with(**{"renderModule__mlp__0__weight": torch.zeros(8, 47)}), "47 inputs")
    refused(tmp_path, state_with("cp", app_line__1=torch.zeros(1, 3, 7, 1)), "app_line.0, 1, 2")
    refused(tmp_path, state_with("vm", line_coef=torch.zeros(3, 7, 5, 1)), "line_coef")
    refused(tmp_path, state_with("vm", plane_coef=torch.zeros(6)), "plane_coef")


def test_wrong_options_are_refused_in_one_sentence(tmp_path: Path) -> None:
    refused(tmp_path, checkpoint("split", aabb=BOX.flip(0)), "aabb")
    refused(tmp_path, checkpoint("split", aabb=None), "aabb")
    refused(tmp_path, checkpoint("split", shadingMode="Phong"), "shadingMode: Phong")
    refused(tmp_path, checkpoint("split", fea2denseAct=[]), "fea2denseAct")
    refused(tmp_path, checkpoint("split", view_pe=-1), "view_pe")
    refused(tmp_path, checkpoint("split", view_pe=2.5), "view_pe")
    refused(tmp_path, checkpoint("split", view_pe=10**100), "view_pe", "a huge number")
    refused(tmp_path, checkpoint("split", density_shift="low"), "density_shift: low")
    refused(tmp_path, checkpoint("split", near_far=3), "near_far: 3")
    refused(tmp_path, checkpoint("split", near_far=[6.0, 2.0]), "near 6 and far 2")
    endless = torch.zeros(1).expand(10**11)
    refused(tmp_path, checkpoint("split", near_far=endless), "near_far", "(100000000000,)", "2 finite numbers")


def test_wrong_masks_are_refused_in_one_sentence(tmp_path: Path) -> None:
    endless = torch.zeros(1).expand(10**11)
    whole = with_mask(checkpoint("split"))
    refused(tmp_path, whole | {"alphaMask.mask": whole["alphaMask.mask"][:-1]}, "alphaMask.mask")
    refused(tmp_path, whole | {"alphaMask.mask": None}, "alphaMask.mask")
    refused(tmp_path, whole | {"alphaMask.shape": (2, 1, 8, 5, 6)}, "alphaMask.shape")
    refused(tmp_path, whole | {"alphaMask.shape": (10**9, 10**9, 10**9)}, "alphaMask.shape")
    refused(tmp_path, whole | {"alphaMask.shape": "abc"}, "alphaMask.shape")
    refused(tmp_path, whole | {"alphaMask.shape": endless}, "alphaMask.shape")
    refused(tmp_path, whole | {"alphaMask.mask": torch.zeros(9, requires_grad=True)}, "alphaMask.mask")
    refused(tmp_path, whole | {"alphaMask.mask": torch.zeros(9).to_sparse()}, "alphaMask.mask")
    refused(tmp_path, whole | {"alphaMask.aabb": torch.zeros(2, 3)}, "alphaMask.aabb")


def test_a_wrong_note_is_refused_in_one_sentence(tmp_path: Path) -> None:
    endless = torch.zeros(1).expand(10**11)
    refused(tmp_path, checkpoint("split") | {"duplex": {"near": 2}}, "duplex")
    refused(tmp_path, checkpoint("split") | {"duplex": 3}, "duplex")
    refused(tmp_path, checkpoint("split") | {"duplex": {"background": endless}}, "duplex")


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("place", ["kwargs", "top"])
def test_a_hostile_pickle_is_refused_and_never_run(place: str, legacy: bool, tmp_path: Path) -> None:
    trace, content = tmp_path / "trace", checkpoint("split")
    target = content["kwargs"] if place == "kwargs" else content
    target["renderer"] = Hostile(f"touch {trace}")
    torch.save(content, tmp_path / "evil.th", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DuplexError, match="refused unread"):
        load_teacher(tmp_path / "evil.th")
    assert not trace.exists()
