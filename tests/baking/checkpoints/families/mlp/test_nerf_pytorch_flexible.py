"""krrish94's networks against a naive one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from builders import synthetic
from builders.mlp.plain import encode, random_points, random_state
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.families.mlp.nerf_pytorch_flexible import network as flexible_network
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides


@pytest.mark.parametrize("kind", ["flexible", "nerf-pytorch"])
def test_hand_made_network_gives_its_closed_form(kind: str, tmp_path: Path) -> None:
    if kind == "flexible":
        teacher = load_teacher(synthetic.write_flexible(tmp_path))
    else:
        teacher = load_teacher(synthetic.write_nerf_pytorch(tmp_path / "000007.tar"))
    points, directions = random_points()
    sigma, latent = teacher.fine.density(points)
    assert torch.allclose(sigma, synthetic.density(points), atol=1e-3)
    assert torch.allclose(teacher.fine.color(latent, directions), synthetic.color(points, directions), atol=1e-5)


def test_flexible_network_with_a_skip_matches_a_naive_one() -> None:
    shapes = {
        "layer1": (32, 39),
        "fc_feat": (32, 32),
        "fc_alpha": (1, 32),
        "layers_dir.0": (16, 32 + 15),
        "fc_rgb": (3, 16),
    }
    shapes |= {"layers_xyz.0": (32, 32), "layers_xyz.1": (32, 32 + 39), "layers_xyz.2": (32, 32)}
    state = random_state(shapes)
    points, directions = random_points()

    def layer(name: str, x: Tensor) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    e = encode(points, 6)
    h = layer("layer1", e)
    h = torch.relu(layer("layers_xyz.0", h))
    h = torch.relu(layer("layers_xyz.1", torch.cat([h, e], -1)))
    h = torch.relu(layer("layers_xyz.2", h))
    feature = torch.relu(layer("fc_feat", h))
    view = torch.relu(layer("layers_dir.0", torch.cat([feature, encode(directions, 2)], -1)))
    field = flexible_network(state, Overrides())
    sigma, latent = field.density(points)
    assert torch.allclose(sigma, torch.relu(layer("fc_alpha", h))[:, 0], atol=1e-5)
    assert torch.allclose(field.color(latent, directions), torch.sigmoid(layer("fc_rgb", view)), atol=1e-5)


def test_folder_takes_the_newest_checkpoint_and_its_configuration(tmp_path: Path) -> None:
    folder = synthetic.write_flexible(tmp_path)
    torch.save({"model_coarse_state_dict": {}}, folder / "checkpoint3.ckpt")
    teacher = load_teacher(folder)
    assert teacher.path.name == "checkpoint7.ckpt"
    assert (teacher.scene.near, teacher.scene.far, teacher.scene.fine_samples) == (2, 6, 64)
    assert teacher.scene.principal_shift == 0.5 / 400


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[1, 2", "not a nerf-pytorch configuration"),
        ("dataset: {near: .inf, far: 6}\nnerf: {validation: {num_coarse: 64, num_fine: 64}}", "near"),
        ("dataset: {near: 2, far: 6}\nnerf: {validation: {num_coarse: 0, num_fine: 64}}", "num_coarse: 0: expected"),
        ("dataset: {near: 2, far: 6}\nnerf: {validation: {num_coarse: 64, num_fine: -3}}", "num_fine: -3: expected"),
        (
            "dataset: {near: 2, far: 6}\nnerf: {validation: {num_coarse: .inf, num_fine: 3}}",
            "num_coarse: inf: expected",
        ),
        ("dataset: {near: 2, far: 6, type: [linemod]}\nnerf: {}", "type: a list of 1: expected"),
        ("!!python/object/apply:os.system ['true']", "a list of 1: expected dataset in it: mend it"),
    ],
)
def test_a_broken_configuration_is_one_sentence(tmp_path: Path, text: str, word: str) -> None:
    folder = synthetic.write_flexible(tmp_path)
    (folder / "config.yml").write_text(text)
    with pytest.raises(DuplexError) as error:
        load_teacher(folder)
    assert word in str(error.value) and "\n" not in str(error.value)
