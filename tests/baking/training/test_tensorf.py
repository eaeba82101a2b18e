"""Training TensoRF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from builders.training import constant_psnr, job_of, trainer_of
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields import rendering
from duplex.baking.fields.factors import VmSplit

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_small_scene_is_learned_and_the_checkpoint_is_the_field(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 400))
    trainer.train(tmp_path / "state.safetensors")
    assert trainer.held_out is not None
    found = float(np.mean(trainer.judge(4)))
    assert found > 26 and found > constant_psnr(trainer.held_out) + 12

    (tmp_path / "scene.th").write_bytes(trainer.model.checkpoint())
    teacher, model = load_teacher(tmp_path / "scene.th"), trainer.model
    assert teacher.family == "TensoRF" and isinstance(teacher.fine, VmSplit) and not teacher.scene.assumed
    assert (teacher.scene.near, teacher.scene.far, teacher.scene.background) == (2, 6, (1, 1, 1))
    assert teacher.scene.principal_shift == 0 and np.allclose(teacher.scene.bounds, teacher.fine.box)
    longest = float((teacher.fine.size / (torch.tensor(teacher.fine.grid) - 1)).max())
    assert 0.9 * longest < teacher.fine.cell() <= longest
    o, d = trainer.held_out.rays(trainer.held_out.usable)
    drawn = model.render_rays(o, d)
    model.field, kept = teacher.fine, model.field  # type: ignore[attr-defined]
    assert torch.equal(model.render_rays(o, d), drawn)
    points = kept.low + kept.size * torch.rand(2000, 3)
    inside = teacher.fine.mask(points)
    assert 0.02 < float(inside.float().mean()) < 0.98
    sigma = teacher.fine.density(points)[0]
    assert torch.equal(sigma > 0, inside) and torch.allclose(sigma[inside], kept.density(points)[0][inside])

    standard = rendering.render_rays(teacher, o, d)  # another quadrature of the same field
    assert -10 * float(torch.log10(((standard - drawn) ** 2).mean())) > found


def test_the_checkpoint_has_the_members_of_the_original(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 30))
    trainer.train(tmp_path / "state")
    (tmp_path / "scene.th").write_bytes(trainer.model.checkpoint())
    numpy_names = [np._core.multiarray._reconstruct, np.ndarray, np.dtype, type(np.dtype("u1"))]  # type: ignore[attr-defined]
    with torch.serialization.safe_globals(numpy_names):
        content = torch.load(tmp_path / "scene.th", weights_only=True)
    kwargs, volume = content["kwargs"], content["alphaMask.shape"]
    assert " ".join(sorted(kwargs)) == (
        "aabb alphaMask_thres app_dim appearance_n_comp density_n_comp density_shift distance_scale fea2denseAct "
        "fea_pe featureC gridSize near_far pos_pe rayMarch_weight_thres shadingMode step_ratio view_pe"
    )
    x, _, z = kwargs["gridSize"]
    assert content["state_dict"]["density_plane.1"].shape == (1, 4, z, x)
    assert content["state_dict"]["app_line.0"].shape == (1, 6, z, 1)
    assert len(volume) == 5 and content["alphaMask.mask"].size == -(-int(np.prod(volume)) // 8)
    assert all(value.is_contiguous() for value in content["state_dict"].values())


def test_forward_facing_photos_train_in_ndc(data: Path, tmp_path: Path) -> None:
    folder = data / "llff" / "fern"
    trainer = trainer_of(job_of(folder, 100))
    begin = np.mean(trainer.judge(2))
    trainer.train(tmp_path / "state")
    (tmp_path / "fern.th").write_bytes(trainer.model.checkpoint())
    teacher = load_teacher(tmp_path / "fern.th")
    assert teacher.scene.space.name == "ndc" and teacher.scene.space.field_views and teacher.scene.far == 1
    assert trainer.held_out is not None and np.mean(trainer.judge(2)) > begin + 4
    o, d = trainer.held_out.rays(trainer.held_out.usable[:300])
    difference = rendering.render_rays(teacher, o, d) - trainer.model.render_rays(o, d)
    assert float((difference**2).mean()) < 1e-3
