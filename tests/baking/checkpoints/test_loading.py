"""Files that are no checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from builders import synthetic
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher


def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    def refused(path: Path, *words: str) -> None:
        with pytest.raises(DuplexError) as error:
            load_teacher(path)
        text = str(error.value)
        assert "\n" not in text and all(word in text for word in words), text

    refused(tmp_path / "none.ckpt", "no such file")
    refused(tmp_path, "no checkpoint in this folder")
    (tmp_path / "text.ckpt").write_text("hello")
    refused(tmp_path / "text.ckpt", "a text file", "expected a checkpoint")
    (tmp_path / "empty.ckpt").write_bytes(b"")
    refused(tmp_path / "empty.ckpt", "an empty file", "expected a checkpoint")
    (tmp_path / "noise.ckpt").write_bytes(b"\xff" * 99)
    refused(tmp_path / "noise.ckpt", "not a checkpoint")
    whole = synthetic.write_nerf_pytorch(tmp_path / "whole.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.tar", "a damaged ZIP archive", "copy or export it again")
    torch.save([1, 2], tmp_path / "list.pt")
    refused(tmp_path / "list.pt", "list")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    refused(tmp_path / "other.pt", "unknown family", "weights")
    state = synthetic.flexible_state()
    torch.save({"model_coarse_state_dict": {**state, "layer1.weight": torch.zeros(8, 64)}}, tmp_path / "odd.pt")
    refused(tmp_path / "odd.pt", "unknown shape", "64")
    torch.save({"model_coarse_state_dict": {**state, "fc_rgb.bias": torch.full((3,), torch.nan)}}, tmp_path / "nan.pt")
    refused(tmp_path / "nan.pt", "NaN", "fc_rgb.bias")
    for name, change, word in (
        ("scalar", {"layers_xyz.0.weight": torch.tensor(1.0)}, "do not fit"),
        ("empty", {"fc_alpha.weight": torch.zeros(0, 8), "fc_alpha.bias": torch.zeros(0)}, "do not fit"),
        ("rgb5", {"fc_rgb.weight": torch.zeros(5, 8), "fc_rgb.bias": torch.zeros(5)}, "5 outputs"),
        ("huge", {"extra": torch.zeros(1).expand(10**12)}, "more than"),
        ("vast", {"extra": torch.zeros(1).expand(10**13)}, "not a checkpoint, or a damaged one"),
        ("whole", {"extra": torch.zeros(2, dtype=torch.int64)}, "int64"),
    ):
        torch.save({"model_coarse_state_dict": state | change}, tmp_path / f"{name}.pt")
        refused(tmp_path / f"{name}.pt", word)
    torch.save({"model_coarse_state_dict": None}, tmp_path / "none.pt")
    refused(tmp_path / "none.pt", "unknown family", "model_coarse_state_dict")
    torch.save({"model_coarse_state_dict": [1]}, tmp_path / "list.pt")
    refused(tmp_path / "list.pt", "model_coarse_state_dict", "no state dict")
    del state["fc_alpha.weight"]
    torch.save({"model_coarse_state_dict": state}, tmp_path / "hole.pt")
    refused(tmp_path / "hole.pt", "fc_alpha")


def test_every_truncation_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    for legacy in (True, False):
        torch.save(
            {"model_coarse_state_dict": synthetic.flexible_state()},
            tmp_path / "whole",
            _use_new_zipfile_serialization=not legacy,
        )
        whole = (tmp_path / "whole").read_bytes()
        for share in range(1, 20):
            (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) * share // 20])
            with pytest.raises(DuplexError):
                load_teacher(tmp_path / "cut.ckpt")


LAYERS = {
    "encoder.first.weight": torch.ones(64, 60),
    "encoder.first.bias": torch.ones(64),
    "head.weight": torch.ones(4, 64),
}


@pytest.mark.parametrize(
    "content",
    [
        LAYERS,
        {"epoch": 3, "net": LAYERS, "optimizer": {"state": {0: {"exp_avg": torch.ones(64, 60)}}}},
        {"epoch": 3, "models": {"small": {"w": torch.ones(2, 2)}, "large": LAYERS}},
    ],
)
def test_an_unknown_network_is_told_by_its_layers(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(DuplexError, match=r"encoder.first.weight 64 x 60, head.weight 4 x 64") as error:
        load_teacher(tmp_path / "other.pt")
    assert "epoch" not in str(error.value) and "optimizer" not in str(error.value)
