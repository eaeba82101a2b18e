"""nerfstudio's nerfacto against a naive field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from builders.hash.naive import random_points
from builders.hash.nerfacto import LAYOUTS, nerfacto_options, nerfacto_reference, nerfacto_state
from builders.hash.nerfstudio_run import config_text, save_run
from builders.hash.vanilla import vanilla_state
from builders.hostile import refused
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides
from duplex.baking.fields.spaces import Contracted, World


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        (LAYOUTS[0], {"average_init_density": 0.25, "near_plane": 0.1, "far_plane": 500.0}),
        (LAYOUTS[1], {"use_average_appearance_embedding": False, "background_color": "white"}),
        (LAYOUTS[2], {"disable_scene_contraction": True}),
    ],
)
def test_nerfacto_matches_the_naive_field(tmp_path: Path, layout: tuple[str, str], options: dict[str, Any]) -> None:
    state = nerfacto_state(layout)
    teacher = load_teacher(save_run(tmp_path, state, config_text("nerfacto", nerfacto_options(**options))))
    contracted = not options.get("disable_scene_contraction", False)
    points, directions = random_points(60, 3.0 if contracted else 2.0)
    sigma, latent = teacher.fine.density(teacher.scene.space.warp(points))
    color = teacher.fine.color(latent, directions)
    known = {
        "layout": layout,
        "contracted": contracted,
        "gain": options.get("average_init_density", 1.0),
        "average": options.get("use_average_appearance_embedding", True),
    }
    empty = 0
    for i, (p, d) in enumerate(zip(points.double().numpy(), directions.double().numpy(), strict=True)):
        expected, rgb = nerfacto_reference(state, p, d, known)
        assert abs(float(sigma[i]) - expected) <= 1e-3 * expected
        if expected:
            assert np.abs(color[i].numpy() - rgb).max() < 1e-4
        empty += not expected
    assert teacher.coarse is teacher.fine
    assert (empty > 0) == (not contracted)
    if contracted:
        assert isinstance(teacher.scene.space, Contracted) and teacher.scene.bounds is None
    else:
        assert type(teacher.scene.space) is World and teacher.scene.bounds == ((-1, -1.5, -1), (1, 1.25, 2))
        assert teacher.scene.far < 20
    if "near_plane" in options:
        assert (teacher.scene.near, teacher.scene.far) == (0.1, 500)
    white = options.get("background_color") == "white"
    assert teacher.scene.background == ((1, 1, 1) if white else (0, 0, 0))
    assert white or any("--background" in text for text in teacher.scene.assumed)


@pytest.mark.parametrize(
    ("layout", "more", "gain", "average"),
    [
        (LAYOUTS[0], {}, 0.01, True),
        (LAYOUTS[1], {}, 1.0, True),
        (LAYOUTS[0], {"occupancy_grid.aabbs": torch.zeros(4, 6)}, 1.0, False),  # nerfstudio's own instant-ngp
    ],
)
def test_nerfacto_without_a_configuration(
    tmp_path: Path, layout: tuple[str, str], more: dict[str, Tensor], gain: float, average: bool
) -> None:
    known = {"layout": layout, "gain": gain, "average": average, "coarsest": 16}
    state = nerfacto_state(layout) | more
    teacher = load_teacher(save_run(tmp_path, state, None))
    points, directions = random_points(10, 0.9)
    sigma, latent = teacher.fine.density(points)
    color = teacher.fine.color(latent, directions)
    for i, (p, d) in enumerate(zip(points.double().numpy(), directions.double().numpy(), strict=True)):
        expected, rgb = nerfacto_reference(state, p, d, known)
        assert abs(float(sigma[i]) - expected) <= 1e-3 * expected
        assert np.abs(color[i].numpy() - rgb).max() < 1e-4
    assert any("no config.yml" in text and "--near" in text for text in teacher.scene.assumed)


@pytest.mark.parametrize("change", ["shift", "axes", "directions", "phase", "appearance", "geometry"])
def test_a_wrongly_read_nerfacto_would_be_seen(change: str) -> None:
    state = nerfacto_state()
    points, directions = random_points(30, 3.0)
    worst = 0.0
    for p, d in zip(points.double().numpy(), directions.double().numpy(), strict=True):
        sigma, rgb = nerfacto_reference(state, p, d, {})
        other, bgr = nerfacto_reference(state, p, d, {}, change)
        worst = max(worst, abs(sigma - other), float(np.abs(rgb - bgr).max()))
    assert worst > 0.05


def test_the_space_of_nerfacto_can_be_overridden(tmp_path: Path) -> None:
    file = save_run(tmp_path, nerfacto_state(), config_text("nerfacto", nerfacto_options()))
    teacher = load_teacher(file, overrides=Overrides(space="world"))
    points, _ = random_points(60, 2.0)
    sigma = teacher.fine.density(points)[0]
    inside = ((points > torch.tensor([-1, -1.5, -1])) & (points < torch.tensor([1, 1.25, 2]))).all(-1)
    assert type(teacher.scene.space) is World and bool(((sigma > 0) == inside).all())


def test_nerfacto_of_tiny_cuda_nn_and_other_methods_are_refused(tmp_path: Path) -> None:
    flat = {"field.mlp_base.model.params": torch.zeros(64), "field.mlp_head.tcnn_encoding.params": torch.zeros(64)}
    refused(
        save_run(tmp_path / "a", flat, config_text("nerfacto", nerfacto_options())),
        "tiny-cuda-nn",
        "--pipeline.model.implementation torch",
        "method nerfacto",
    )
    refused(save_run(tmp_path / "b", {"gauss_params.means": torch.zeros(3, 3)}, None), "without the hash grid")
    refused(save_run(tmp_path / "c", vanilla_state() | {"temporal_distortion.x": torch.zeros(1)}, None), "moves")
