"""Training: masks, held-out photos, resumption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from builders.training import SIZE, constant_psnr, job_of, trainer_of, write_dataset
from duplex.app.core.errors import DuplexError
from duplex.baking.datasets.photos import Photo
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.training.job import TrainingWorkspace, train
from duplex.baking.training.photos import PhotoSet
from duplex.baking.training.scene import background_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.system
def test_photos_without_alpha_are_learned_too(tmp_path: Path) -> None:
    trainer = trainer_of(job_of(write_dataset(tmp_path / "rgb", alpha=False), 300))
    assert tuple(trainer.model.background.tolist()) == (1, 1, 1)  # their corners are white
    trainer.train(tmp_path / "state")
    assert trainer.held_out is not None
    assert np.mean(trainer.judge(4)) > constant_psnr(trainer.held_out) + 8


def test_resuming_ends_where_an_uninterrupted_training_does(photos_folder: Path, tmp_path: Path) -> None:
    job = job_of(photos_folder, 60)
    whole = trainer_of(job)
    whole.train(tmp_path / "whole")
    first = trainer_of(job)
    while first.step < 35:  # behind masks and refinements
        first._advance()
    first.save(tmp_path / "half")
    second = trainer_of(job)
    torch.manual_seed(99)
    second.load(tmp_path / "half")
    assert second.step == 35
    second.train(tmp_path / "half")
    for (name, one), other in zip(whole.model.tensors().items(), second.model.tensors().values(), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=1e-4), name


def test_a_training_goes_on_where_random_numbers_are_of_another_kind(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 20))
    trainer.step = 7
    trainer.save(tmp_path / "state")
    tensors = load_file(tmp_path / "state")
    save_file(tensors | {"generator": torch.zeros(16, dtype=torch.uint8)}, tmp_path / "state")  # as a GPU's
    trainer.load(tmp_path / "state")
    trainer.train(tmp_path / "state")
    assert trainer.step == 20


def test_held_out_photos_look_the_same_after_the_last_step(photos_folder: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(photos_folder, 60))
    trainer.train(tmp_path / "state")
    again = trainer_of(job_of(photos_folder, 60))
    again.load(tmp_path / "state")
    assert again.judge(2) == pytest.approx(trainer.judge(2), abs=1e-4)


@pytest.mark.system
def test_masks_do_not_make_photos_transparent(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "rgb", alpha=False)
    mask = np.full((SIZE, SIZE), 255, np.uint8)
    mask[:4] = mask[:, :4] = 0
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(0 * mask).save(folder / "nothing.png")
    dataset = read_dataset(folder)

    def masked(name: str, photos: tuple[Photo, ...]) -> list[Photo]:
        return [replace(photo, mask=folder / name) for photo in photos]

    shown = PhotoSet.read(masked("mask.png", dataset.photos["train"]), SIZE)
    assert len(shown.usable) == 16 * (SIZE - 4) ** 2 and not shown.has_alpha
    assert background_of(shown) == (1, 1, 1)  # by the corners that are left
    nothing = replace(
        dataset, photos={**dataset.photos, "train": tuple(masked("nothing.png", dataset.photos["train"]))}
    )
    job = job_of(folder, 3, "mlp")
    with (
        pytest.raises(DuplexError, match="no pixel of 16 photos counts"),
        TrainingWorkspace(tmp_path / "x", "", False, False) as workspace,
    ):
        train(replace(job, dataset=nothing), tmp_path / "x", workspace)
    trainer = trainer_of(job)
    unseen = dataset.photos["test"]
    trainer.held_out = PhotoSet.read([*masked("nothing.png", unseen[:1]), unseen[1]], SIZE)
    assert len(trainer.judge(4)) == 1
