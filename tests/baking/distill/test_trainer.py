"""Distillation: progress, resumption, portions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage.metrics import structural_similarity

from builders.distill import CPU, SPEC, trainer, view_set, views
from duplex.app.core.errors import DuplexError
from duplex.app.scene.network import NetworkSpec
from duplex.baking.distill.crops import Crops, CropSampler
from duplex.baking.distill.dssim import dssim
from duplex.baking.distill.student import Student
from duplex.baking.distill.trainer import DistillConfig, Distiller
from duplex.baking.runtime.workspace import reading


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trainer()
    whole.train([views()], (1.0, 1.0, 1.0), tmp_path / "whole", views())
    first, calls = trainer(), 0
    original = Distiller._prepare

    def interrupted(self: Distiller) -> None:
        nonlocal calls
        calls += 1
        if calls > 15:  # after the second doubling
            raise KeyboardInterrupt
        original(self)

    monkeypatch.setattr(Distiller, "_prepare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        first.train([views()], (1.0, 1.0, 1.0), tmp_path / "part", views())
    first.save(tmp_path / "part")
    monkeypatch.undo()
    second = trainer(seed=99)
    second.load(tmp_path / "part")
    assert second.step == 15
    second.train([views()], (1.0, 1.0, 1.0), tmp_path / "part", views())
    for name, value in whole.student.state_dict().items():
        assert torch.equal(value, second.student.state_dict()[name]), name
    assert [point[::2] for point in whole.curve] == [point[::2] for point in second.curve]  # all but the seconds


DAMAGES: dict[str, dict[str, torch.Tensor | None]] = {
    "a missing part": {"student.outer.texels": None},
    "features of another shape": {"student.outer.texels": torch.zeros(3, 5)},
    "a moment of another shape": {"optimizer.0.exp_avg": torch.zeros(7)},
    "a missing moment": {"optimizer.0.exp_avg_sq": None},
    "a counter of another kind": {"optimizer.1.step": torch.ones((), dtype=torch.int64)},
    "endless doublings": {"progress": torch.tensor([4.0, 1e6, 1.0], dtype=torch.float64)},
    "a step that never was": {"progress": torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)},
    "no numbers": {"progress": torch.full((3,), torch.nan, dtype=torch.float64)},
    "too many numbers": {"progress": torch.zeros(9)},
    "a curve of another shape": {"curve": torch.zeros(2, 2)},
    "random numbers of another kind": {"generator": torch.zeros(len(torch.Generator().get_state()))},
    "negative errors": {"view_errors": torch.tensor([-1.0])},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_state_that_is_none_is_one_sentence(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "state"
    whole = trainer()
    whole.train([views()], (1.0, 1.0, 1.0), file)
    tensors = load_file(file) | {name: x for name, x in DAMAGES[damage].items() if x is not None}
    save_file({name: x for name, x in tensors.items() if DAMAGES[damage].get(name, x) is not None}, file)
    with pytest.raises(DuplexError, match="state: damaged: begin anew with --restart"), reading(file):
        trainer().load(file)


def test_a_state_of_other_views_is_one_sentence(tmp_path: Path) -> None:
    whole = trainer()
    whole.view_errors = torch.ones(1000)
    with pytest.raises(DuplexError, match="another number of views"):
        whole.train([views()], (1.0, 1.0, 1.0), tmp_path / "state")


@pytest.mark.system
def test_training_reduces_the_error_and_the_seed_decides(tmp_path: Path) -> None:
    config = DistillConfig(steps=150, batch=8, crop_size=16, width=8, alpha_weight=0)
    runs = []
    for seed in (1, 1, 2):
        t = Distiller(NetworkSpec.shallow(8, 8), 64, config, seed, CPU)
        t.train([views()], (1.0, 1.0, 1.0), tmp_path / "state", views())
        runs.append((t.curve, t.student.outer.texels.detach().clone()))
    steps, seconds, quality = zip(*runs[0][0], strict=True)
    assert steps[-1] == 150 and len(steps) == 16 and list(seconds) == sorted(seconds)
    assert quality[-1] > quality[0] + 0.5
    assert torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(runs[0][1], runs[2][1])


def test_the_view_direction_enters_at_the_centre_alone(tmp_path: Path) -> None:
    student = trainer()
    before = student.student.network.exported().weights[0]
    student.train([views()], (1, 1, 1), tmp_path / "state")
    spec, weights = student.student.network.spec, student.student.network.exported()
    weights.check(spec, "network")
    of_view, of_features = weights.weights[0][:, 16:], weights.weights[0][:, :16]
    assert of_view.shape[1:] == (8, 3, 3) and (of_view[:, :, 1, 1] != before[:, 16:, 1, 1]).any(0).all()
    assert np.count_nonzero(of_view) == np.count_nonzero(of_view[:, :, 1, 1])
    assert (of_features != before[:, :16]).any((0, 1)).all()
    assert spec.macs_per_pixel == sum(
        np.count_nonzero(spec.taps()) if i == 0 else w.size for i, w in enumerate(weights.weights)
    )


def test_refining_interpolates() -> None:
    student = Student(NetworkSpec.shallow(8, 8), 4)
    ramp = (torch.arange(4) + 0.5) / 4
    student.outer.texels.data[:] = ramp.repeat(4)[:, None]
    student.refine()
    assert student.outer.side == 8 and student.outer.texels.shape == (64, 8)
    assert torch.allclose(student.outer.texels[1:7, 0], (torch.arange(1, 7) + 0.5) / 8)


def test_a_batch_in_portions_gives_the_same_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when memory runs out for more than one crop at once."""
    gradients = []
    for at_most in (2, 1):
        t = trainer()
        t.student.outer.texels.data.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
        whole = t._composited

        def limited(crops: Crops, background: torch.Tensor, most: int = at_most, whole: Any = whole) -> Any:
            if len(crops.views) > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return whole(crops, background)

        monkeypatch.setattr(t, "_composited", limited)
        crops = CropSampler([views()], 16, CPU)([2], torch.Generator().manual_seed(0))
        errors = t.backward(crops, torch.ones(3))
        assert t.portion == at_most and errors.shape == (2,)
        gradients.append(t.student.outer.texels.grad.clone())  # type: ignore[union-attr]
    assert gradients[0].abs().max() > 0
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-9)


def test_dssim_is_what_scikit_image_measures() -> None:
    first = np.random.default_rng(0).random((40, 32, 3), np.float32)
    second = np.clip(first + np.random.default_rng(1).normal(0, 0.1, first.shape), 0, 1).astype(np.float32)
    _, expected = structural_similarity(
        first, second, channel_axis=-1, data_range=1.0, win_size=7, use_sample_covariance=False, full=True
    )
    a, b = (torch.from_numpy(x).permute(2, 0, 1)[None] for x in (first, second))
    found = dssim(a, b)[0, 0].numpy()
    assert np.abs(found - 0.5 * (1 - expected.mean(-1)))[3:-3, 3:-3].max() < 1e-4
    assert float(dssim(a, a).abs().max()) < 1e-5


@pytest.mark.system
@pytest.mark.parametrize("photo_steps", [0.0, 0.6])
def test_photos_have_the_last_word(tmp_path: Path, photo_steps: float) -> None:
    teacher = view_set(2)
    photos = replace(teacher, pictures=[255 - picture for picture in teacher.pictures], opacity=[False] * 2)
    for shown, value in ((teacher, 60), (photos, 190)):
        for picture in shown.pictures:
            picture[:] = (value, value, value, 255)
    config = DistillConfig(steps=150, batch=4, crop_size=16, width=8, photo_steps=photo_steps, photo_share=0.75)
    trainer = Distiller(SPEC, 64, config, 0, CPU)
    trainer.train([teacher, photos], (1.0, 1.0, 1.0), tmp_path / "state")
    crops = CropSampler([teacher], 24, CPU)([2], torch.Generator().manual_seed(0))
    rgba = trainer.student.shade(crops).detach()
    seen = rgba[:, 0] * rgba[:, 3] + 1 - rgba[:, 3]  # on white, as it is trained
    mean = 255 * float(seen[crops.covered[:, 0] > 0].mean())
    assert (120 < mean < 200) if photo_steps else (50 < mean < 70)
