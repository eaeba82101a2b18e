"""The network of NeRF's paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from builders.training import constant_psnr, job_of, trainer_of
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields import rendering
from duplex.baking.training.mlp import MlpConfig, named, new_network

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_network_of_the_paper_is_learned_and_round_trips(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 300, "mlp"))
    trainer.train(tmp_path / "state")
    assert trainer.held_out is not None
    found = float(np.mean(trainer.judge(2)))
    assert found > constant_psnr(trainer.held_out) + 4
    (tmp_path / "scene.tar").write_bytes(trainer.model.checkpoint())
    (tmp_path / "args.txt").write_text("dataset_type = llff\n")  # of somebody else's checkpoint
    teacher = load_teacher(tmp_path / "scene.tar")
    assert teacher.family == "nerf-pytorch" and (teacher.scene.coarse_samples, teacher.scene.fine_samples) == (24, 12)
    o, d = trainer.held_out.rays(trainer.held_out.usable[:500])
    assert torch.equal(rendering.render_rays(teacher, o, d), trainer.model.render_rays(o, d))


def test_a_network_deeper_than_five_has_the_original_skip() -> None:
    weights = named(new_network(MlpConfig(layers=8, hidden=32)))
    assert [weights[f"pts_linears.{i}.weight"].shape[1] for i in range(8)] == [63, 32, 32, 32, 32, 95, 32, 32]
