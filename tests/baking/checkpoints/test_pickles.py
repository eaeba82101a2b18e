"""Pickles that are refused and never run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from builders.hostile import Hostile
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("key", ["model_coarse_state_dict", "network_fn_state_dict"])
def test_a_hostile_pickle_is_refused_and_never_run(tmp_path: Path, legacy: bool, key: str) -> None:
    file, trace = tmp_path / "evil.ckpt", tmp_path / "trace"
    content = {key: Hostile(f"touch {trace}")}
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DuplexError, match="refused unread") as error:
        load_teacher(file)
    assert "\n" not in str(error.value)
    assert not trace.exists()


def test_a_plain_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    file, trace = tmp_path / "evil.ckpt", tmp_path / "trace"
    file.write_bytes(pickle.dumps(Hostile(f"touch {trace}")))
    with pytest.raises(DuplexError):
        load_teacher(file)
    assert not trace.exists()
