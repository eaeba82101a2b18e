"""Fields of voxels on another device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from builders.grid.dvgo import dvgo, write_dvgo
from builders.grid.plenoctree import plenoctree, quantised
from builders.grid.plenoxels import plenoxels, write_npz
from duplex.baking.checkpoints.loading import load_teacher

pytestmark = pytest.mark.usefixtures("one_thread")


def test_all_that_a_field_computes_with_moves_to_the_device(tmp_path: Path) -> None:
    for path in (
        write_dvgo(tmp_path / "a.tar", dvgo()),
        write_npz(tmp_path / "b.npz", plenoxels()),
        write_npz(tmp_path / "c.npz", quantised(plenoctree(), 1)),
    ):
        teacher = load_teacher(path, torch.device("meta"))
        tensors = [*teacher.fine.parameters(), *teacher.fine.buffers()]
        assert tensors and all(tensor.is_meta for tensor in tensors)
        assert not any(isinstance(v, torch.Tensor) for m in teacher.fine.modules() for v in m.__dict__.values())
        assert all(teacher.fine.describe().values())
