"""yenchenlin's networks against a naive one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from builders import synthetic
from builders.mlp.plain import encode, random_points, random_state
from duplex.baking.checkpoints.families.mlp.nerf_pytorch import network as nerf_pytorch_network
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides


def test_nerf_pytorch_network_with_a_skip_matches_a_naive_one() -> None:
    shapes = {f"pts_linears.{i}": (32, 32) for i in range(8)} | {"pts_linears.0": (32, 63), "pts_linears.5": (32, 95)}
    shapes |= {
        "feature_linear": (32, 32),
        "alpha_linear": (1, 32),
        "views_linears.0": (16, 32 + 27),
        "rgb_linear": (3, 16),
    }
    state = random_state(shapes)
    points, directions = random_points()

    def layer(name: str, x: Tensor) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    e = encode(points, 10)
    h = e
    for i in range(8):
        h = torch.relu(layer(f"pts_linears.{i}", h))
        if i == 4:
            h = torch.cat([e, h], -1)
    view = torch.relu(layer("views_linears.0", torch.cat([layer("feature_linear", h), encode(directions, 4)], -1)))
    field = nerf_pytorch_network({f"module.{name}": value for name, value in state.items()}, Overrides())
    sigma, latent = field.density(points)
    assert torch.allclose(sigma, torch.relu(layer("alpha_linear", h))[:, 0], atol=1e-5)
    assert torch.allclose(field.color(latent, directions), torch.sigmoid(layer("rgb_linear", view)), atol=1e-5)


def test_without_a_configuration_the_assumptions_are_named(tmp_path: Path) -> None:
    assert "no args.txt" in load_teacher(synthetic.write_nerf_pytorch(tmp_path / "1.tar")).scene.assumed[0]
