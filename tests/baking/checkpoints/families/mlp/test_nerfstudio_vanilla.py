"""nerfstudio's vanilla-nerf against a naive field."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from builders.hash.naive import Array, random_points, sigmoid
from builders.hash.nerfstudio_run import config_text, save_run
from builders.hash.vanilla import vanilla_state
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides


def vanilla_encoding(x: Array, count: int, highest: float, order: str) -> Array:
    frequencies = [2 ** (highest * i / (count - 1)) for i in range(count)]
    pairs = {
        "original": [(c, f) for c in x for f in frequencies],
        "by frequency": [(c, f) for f in frequencies for c in x],
    }[order]
    angles = np.array([2 * math.pi * c * f for c, f in pairs])
    return np.concatenate([np.sin(angles), np.sin(angles + math.pi / 2), x])


def vanilla_reference(state: dict[str, Tensor], p: Array, d: Array, change: str = "") -> tuple[float, Array]:
    """Density and colour at one point, as NeRFField has them; ``change``: what is done wrongly."""

    def layer(name: str, x: Array) -> Array:
        return state[f"{name}.weight"].double().numpy() @ x + state[f"{name}.bias"].double().numpy()

    order = "by frequency" if change == "encoding" else "original"
    e = vanilla_encoding(p, 10, 8.0, order)
    h = e
    for i in range(8):
        if i == 4:
            h = np.concatenate([h, e] if change == "skip" else [e, h])
        h = layer(f"mlp_base.layers.{i}", h)
        if not (i == 7 and change == "last relu"):
            h = np.maximum(h, 0)
    raw = layer("field_output_density.net", h)[0]
    sigma = max(raw, 0) if change == "density" else math.log1p(math.exp(raw))
    v = vanilla_encoding(d, 4, 4.0, order)
    y = np.concatenate([h, v] if change == "views" else [v, h])
    for name in ("mlp_head.layers.0", "mlp_head.layers.1"):
        y = np.maximum(layer(name, y), 0)
    return sigma, sigmoid(layer("field_heads.0.net", y))


VANILLA_OPTIONS = """    background_color: white
    collider_params: {near_plane: 1.5, far_plane: 7.0}
    num_coarse_samples: 48
    num_importance_samples: 96"""


def test_vanilla_nerf_matches_the_naive_field(tmp_path: Path) -> None:
    state = vanilla_state()
    save_run(tmp_path, state, config_text("vanilla-nerf", VANILLA_OPTIONS))
    (tmp_path / "dataparser_transforms.json").write_text(
        json.dumps({"transform": [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3]], "scale": 0.5})
    )
    teacher = load_teacher(tmp_path)
    points, directions = random_points(40, 1.5)
    for field, prefix in ((teacher.coarse, "field_coarse."), (teacher.fine, "field_fine.")):
        weights = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        sigma, latent = field.density(points)
        color = field.color(latent, directions)
        for i, (p, d) in enumerate(zip(points.double().numpy(), directions.double().numpy(), strict=True)):
            expected, rgb = vanilla_reference(weights, p, d)
            assert abs(float(sigma[i]) - expected) < 2e-3  # sine of 1600 in float32
            assert np.abs(color[i].numpy() - rgb).max() < 2e-3
    scene = teacher.scene
    assert (scene.near, scene.far, scene.background) == (1.5, 7.0, (1, 1, 1))
    assert (scene.coarse_samples, scene.fine_samples, scene.principal_shift) == (48, 96, 0)
    assert scene.dataset_to_world == (0, -0.5, 0, 0.5, 0.5, 0, 0, 1, 0, 0, 0.5, 1.5, 0, 0, 0, 1)
    assert scene.assumed == () and teacher.family == "nerfstudio vanilla-nerf"


@pytest.mark.parametrize("change", ["encoding", "skip", "last relu", "density", "views"])
def test_a_wrongly_read_vanilla_nerf_would_be_seen(change: str) -> None:
    state = {k.removeprefix("field_fine."): v for k, v in vanilla_state().items() if k.startswith("field_fine.")}
    points, directions = random_points(40, 1.5)
    worst = 0.0
    for p, d in zip(points.double().numpy(), directions.double().numpy(), strict=True):
        sigma, rgb = vanilla_reference(state, p, d)
        other, bgr = vanilla_reference(state, p, d, change)
        worst = max(worst, abs(sigma - other), float(np.abs(rgb - bgr).max()))
    assert worst > 0.05


def test_vanilla_nerf_without_its_siblings_names_what_is_assumed(tmp_path: Path) -> None:
    teacher = load_teacher(save_run(tmp_path, vanilla_state(), None, "module._model."))
    assert (teacher.scene.near, teacher.scene.far, teacher.scene.dataset_to_world) == (2, 6, None)
    assert "no config.yml" in teacher.scene.assumed[0] and "dataparser_transforms.json" in teacher.scene.assumed[1]


def test_overrides_reach_vanilla_nerf(tmp_path: Path) -> None:
    file = save_run(tmp_path, vanilla_state(), config_text("vanilla-nerf", VANILLA_OPTIONS))
    points, _ = random_points(40, 1.5)
    plain = load_teacher(file).fine.density(points)[0]
    other = load_teacher(file, overrides=Overrides(activation="relu")).fine.density(points)[0]
    assert torch.allclose(other, torch.log(torch.expm1(plain)).clamp(min=0), atol=1e-4)
    assert not torch.allclose(plain, load_teacher(file, overrides=Overrides(encoding="dtf")).fine.density(points)[0])
