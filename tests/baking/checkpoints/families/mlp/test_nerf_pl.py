"""nerf_pl's networks against a naive one."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from builders.hostile import Hostile, refused
from builders.mlp.naive import Reference, State, agree, classes, differ, ftd, layer, random_points
from builders.mlp.nerf_pl import HPARAMS, pl_content, pl_states
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides
from duplex.baking.fields.spaces import Ndc


def pl_reference(state: State, skip: int = 4, hidden_first: bool = False, scale: bool = False) -> Reference:
    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        e = ftd(x, 10)
        h = e
        for i in range(8):
            if i == skip:
                h = torch.cat([h, e] if hidden_first else [e, h], -1)
            h = torch.relu(layer(state, f"xyz_encoding_{i + 1}.0", h))
        if scale:
            d = torch.stack([2 * d[:, 0] / d[:, 2], 2 * d[:, 1] / d[:, 2], torch.full_like(d[:, 2], 2)], -1)
        f = layer(state, "xyz_encoding_final", h)
        view = torch.relu(layer(state, "dir_encoding.0", torch.cat([f, ftd(d, 4)], -1)))
        return torch.relu(layer(state, "sigma", h)[:, 0]), torch.sigmoid(layer(state, "rgb.0", view))

    return reference


class AttributeDict(dict):
    """As Lightning keeps hyperparameters."""


@pytest.mark.parametrize("kind", ["dict", "Namespace", "AttributeDict", "state dict"])
def test_nerf_pl_checkpoint_matches_a_naive_network(tmp_path: Path, kind: str) -> None:
    coarse, fine = pl_states()
    hparams: object = HPARAMS
    if kind == "Namespace":
        hparams = argparse.Namespace(**HPARAMS)
    if kind == "AttributeDict":
        hparams = AttributeDict(HPARAMS)
    content = pl_content(coarse, fine, hparams, "hparams" if kind == "dict" else "hyper_parameters")
    with classes("pytorch_lightning.utilities.parsing", AttributeDict):
        torch.save(content["state_dict"] if kind == "state dict" else content, tmp_path / "epoch=15.ckpt")
    teacher = load_teacher(tmp_path)
    agree(teacher.coarse, pl_reference(coarse))
    agree(teacher.fine, pl_reference(fine))
    if kind == "state dict":
        assert (teacher.scene.coarse_samples, teacher.scene.fine_samples) == (64, 128)
        assert "--near" in teacher.scene.assumed[0]
    else:
        assert (teacher.scene.coarse_samples, teacher.scene.fine_samples) == (32, 64)
        assert teacher.scene.principal_shift == 0.5 / 200 and not teacher.scene.assumed


def test_nerf_pl_wired_otherwise_is_another_network(tmp_path: Path) -> None:
    state, _ = pl_states()
    torch.save(pl_content(state, state, HPARAMS, "hparams"), tmp_path / "a.ckpt")
    field = load_teacher(tmp_path / "a.ckpt").fine
    assert not differ(field, pl_reference(state))
    assert differ(field, pl_reference(state, hidden_first=True))
    moved = {k: v.roll(1, 0) if k == "xyz_encoding_final.weight" else v for k, v in state.items()}
    assert differ(field, pl_reference(moved))


def test_nerf_pl_in_ndc_sees_directions_with_a_z_of_2(tmp_path: Path) -> None:
    coarse, fine = pl_states()
    content = pl_content(coarse, fine, HPARAMS | {"dataset_name": "llff"}, "hparams")
    torch.save(content, tmp_path / "a.ckpt")
    teacher = load_teacher(tmp_path)
    space = teacher.scene.space
    assert isinstance(space, Ndc) and space.field_views and teacher.scene.background == (0, 0, 0)
    points, directions = random_points()
    directions = F.normalize(directions * torch.tensor([1, 1, 0.1]) - torch.tensor([0, 0, 1.0]), dim=-1)
    _, mapped = space.rays(points, directions)
    assert torch.allclose(mapped[:, 2], torch.full((300,), 2.0), atol=1e-3)
    sigma, latent = teacher.fine.density(points)
    expected_sigma, expected = pl_reference(fine)(points, mapped)  # the original encodes them as they are
    assert torch.allclose(sigma, expected_sigma, atol=1e-4)
    assert torch.allclose(teacher.fine.color(latent, F.normalize(mapped, dim=-1)), expected, atol=1e-3)
    world = load_teacher(tmp_path, None, Overrides(space="world", near=1.0, far=2.0))
    assert torch.allclose(world.fine.color(latent, directions), pl_reference(fine)(points, directions)[1], atol=1e-4)
    torch.save(
        pl_content(coarse, fine, HPARAMS | {"dataset_name": "llff", "spheric_poses": True}, "hparams"),
        tmp_path / "a.ckpt",
    )
    refused(tmp_path / "a.ckpt", "--near", "--far")


def test_broken_nerf_pl_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    for change, word in (
        ({"xyz_encoding_5.0": (24, 24)}, ""),
        ({"xyz_encoding_3.0": (24, 25)}, "25 inputs"),
        ({"sigma": (2, 24)}, "2 outputs"),
        ({"dir_encoding.0": (12, 50)}, "dir_encoding.0"),
        ({"static_sigma.0": (1, 24)}, "NeRF-W"),
    ):
        torch.save(pl_content(*pl_states(change), HPARAMS, "hparams"), file)
        if word:
            refused(file, word)
        else:
            load_teacher(file)  # a network without a skip is one too
    coarse, fine = pl_states()
    torch.save(pl_content({k: v for k, v in coarse.items() if "_4.0" not in k}, fine, {}, "hparams"), file)
    refused(file, "xyz_encoding_4.0 is missing")
    torch.save(pl_content(coarse, fine | {"sigma.bias": torch.tensor([math.inf])}, {}, "hparams"), file)
    refused(file, "NaN", "sigma.bias")
    for hparams, word in (
        ({"dataset_name": 7}, "dataset_name: 7"),
        ({"N_samples": "many"}, "N_samples"),
        ({"N_samples": 2}, "N_samples: 2: expected a whole number"),
    ):
        torch.save(pl_content(coarse, fine, hparams, "hparams"), file)
        refused(file, word)
    torch.save(pl_content(coarse, fine, {"a": Hostile(f"touch {tmp_path / 'trace'}")}, "hparams"), file)
    refused(file, "refused unread")
    assert not (tmp_path / "trace").exists()
