"""TensoRF's files against a naive field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from builders.grid.naive_tensorf import compared, naive
from builders.grid.tensorf import BOX, KINDS, MODES, checkpoint, with_mask
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides
from duplex.baking.fields.spaces import Ndc


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_every_class_and_shading_matches_the_naive_field(kind: str, mode: str, tmp_path: Path) -> None:
    density, color, solid = compared(checkpoint(kind, mode), kind, tmp_path)
    assert density < 1e-4 and color < 1e-4 and 0.3 < solid < 0.9


def test_relu_takes_the_feature_without_its_shift(tmp_path: Path) -> None:
    density, color, solid = compared(checkpoint("split", fea2denseAct="relu"), "split", tmp_path)
    assert density < 1e-4 and color < 1e-4 and 0.1 < solid < 0.9


def test_the_mask_empties_what_it_does_not_touch(tmp_path: Path) -> None:
    density, _, solid = compared(with_mask(checkpoint("split")), "split", tmp_path)
    assert density < 1e-4 and 0.1 < solid < 0.6
    assert solid < compared(checkpoint("split"), "split", tmp_path)[2] - 0.1


@pytest.mark.parametrize(
    "change",
    [{"density_shift": 0.4}, {"distance_scale": 1}, {"fea2denseAct": "relu"}],
)
def test_kwargs_make_a_clear_difference(change: dict[str, Any], tmp_path: Path) -> None:
    content = checkpoint("split")
    torch.save(checkpoint("split", **change), tmp_path / "other.th")
    points = torch.rand(50, 3)
    sigma, _ = load_teacher(tmp_path / "other.th").fine.density(points)
    wanted = torch.tensor([naive(content, "split", p, p)[0] for p in points])
    assert float((sigma - wanted).abs().mean()) > 1


@pytest.mark.parametrize("order", ["ftd", "tfd", "dtf"])
def test_another_order_of_the_encoding_gives_another_colour(order: str, tmp_path: Path) -> None:
    density, color, _ = compared(checkpoint("split"), "split", tmp_path, Overrides(encoding=order))
    assert density < 1e-4 and color > 0.01


def test_another_activation_gives_another_density(tmp_path: Path) -> None:
    density, color, _ = compared(checkpoint("split"), "split", tmp_path, Overrides(activation="exp"))
    assert density > 0.1 and color < 1e-4


def test_the_scene_is_that_of_the_kwargs(tmp_path: Path) -> None:
    torch.save(checkpoint("split", near_far=[1.5, 7.0]), tmp_path / "1.th")
    scene = load_teacher(tmp_path / "1.th").scene
    assert (scene.near, scene.far, scene.principal_shift, scene.background) == (1.5, 7.0, 0.0, (1, 1, 1))
    assert np.allclose(scene.bounds, BOX.numpy()) and "--background" in scene.assumed[0]


def test_an_interval_of_0_to_1_is_ndc(tmp_path: Path) -> None:
    torch.save(checkpoint("split", near_far=[0.0, 1.0]), tmp_path / "1.th")
    scene = load_teacher(tmp_path / "1.th").scene
    assert isinstance(scene.space, Ndc) and scene.space.field_views
    assert scene.background == (0, 0, 0) and scene.principal_shift == 0 and np.allclose(scene.bounds, BOX.numpy())


def test_the_state_dict_is_the_layout_and_gradients_flow(tmp_path: Path) -> None:
    for kind in KINDS:
        content = checkpoint(kind)
        torch.save(content, tmp_path / "1.th")
        field = load_teacher(tmp_path / "1.th").fine.requires_grad_(True)
        assert {k: v.shape for k, v in field.state_dict().items()} == {
            k: v.shape for k, v in content["state_dict"].items()
        }
        points = BOX[0] + (BOX[1] - BOX[0]) * torch.rand(300, 3)
        sigma, latent = field.density(points)
        (sigma.sum() + field.color(latent, F.normalize(points, dim=-1)).sum()).backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in field.parameters())
