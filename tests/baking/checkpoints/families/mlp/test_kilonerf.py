"""KiloNeRF's networks against naive ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from builders.hostile import Hostile, refused
from builders.mlp.kilo_nodes import kilo_nodes, save_nodes
from builders.mlp.kilonerf import BOX_FILE, HIGH, LOW, as_finetuned, kilo_reference, kilo_state
from builders.mlp.naive import agree, ftd, layer, random_points, random_state
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides


@pytest.mark.parametrize("told", ["bbox", "log", "yaml", "bounds"])
def test_kilonerf_matches_a_naive_evaluation(tmp_path: Path, told: str) -> None:
    state = kilo_state()
    torch.save(as_finetuned(state), tmp_path / "checkpoint_0000010.pth")
    overrides = Overrides()
    if told == "log":
        line = "global_domain_min: [-0.9 -1.2 -0.3], global_domain_max: [0.9 1.2 0.9], "
        line += "near: 1.5, far: 5.5, background_color: None"
        (tmp_path / "log.txt").write_text(f"Loading x\n{line}\nIter: 3\n")
    elif told == "bounds":
        overrides = Overrides(bounds=np.stack([LOW, HIGH]))
    else:
        (tmp_path / "bbox.txt").write_text(BOX_FILE)
    if told == "yaml":
        (tmp_path / "distill.yaml").write_text("fixed_resolution:\n- 3\n- 4\n- 2\n")
        (tmp_path / "near_and_far.txt").write_text("2.5 6.5")
    teacher = load_teacher(tmp_path, None, overrides)
    agree(teacher.fine, kilo_reference(state), half=1.4)
    assert np.allclose(np.array(teacher.scene.bounds), [LOW, HIGH])
    depths = {"log": (1.5, 5.5), "yaml": (2.5, 6.5)}.get(told, (2, 6))
    assert (teacher.scene.near, teacher.scene.far) == depths
    assert any("3 x 4 x 2 networks" in text for text in teacher.scene.assumed) == (told != "yaml")
    swapped = dict(state)
    for key in state:
        swapped[key] = state[key].view(2, 4, 3, *state[key].shape[1:]).transpose(0, 2).reshape(state[key].shape)
    points, directions = random_points()
    assert not torch.allclose(teacher.fine.density(points)[0], kilo_reference(swapped)(points, directions)[0], atol=0.1)


def test_kilonerf_groups_points_however_they_are_spread(tmp_path: Path) -> None:
    state = kilo_state()
    torch.save(as_finetuned(state), tmp_path / "checkpoint_0000010.pth")
    (tmp_path / "bbox.txt").write_text(BOX_FILE)
    field = load_teacher(tmp_path).fine
    points, directions = random_points(200)
    crowded = torch.cat([points[:1] * 0.01 + 0.1 + torch.arange(70)[:, None] * 1e-4, points])
    views = torch.cat([directions[:70], directions])
    sigma, latent = field.density(crowded)
    expected = kilo_reference(state)(crowded, views)
    assert torch.allclose(sigma, expected[0], atol=1e-3)
    keep = torch.arange(len(crowded)).flip(0)[::3]  # a renderer may drop and reorder rows between the two calls
    assert torch.allclose(field.color(latent[keep], views[keep]), expected[1][keep], atol=1e-3)
    outside = torch.full((5, 3), 3.0)
    sigma, latent = field.density(outside)
    assert not sigma.any() and not field.color(latent, directions[:5]).any()
    assert field.density(points[:0])[0].shape == (0,)


def test_kilonerf_occupancy_grid_empties_space_and_tells_the_resolution(tmp_path: Path) -> None:
    state = kilo_state()
    torch.save(as_finetuned(state), tmp_path / "checkpoint.pth")
    (tmp_path / "bbox.txt").write_text(BOX_FILE)
    occupied = np.random.default_rng(0).random((12, 16, 8)) < 0.5
    torch.save(torch.from_numpy(occupied), tmp_path / "occupancy.pth")
    teacher = load_teacher(tmp_path)
    assert teacher.path.name == "checkpoint.pth" and len(teacher.scene.assumed) == 1
    agree(teacher.fine, kilo_reference(state, occupied), half=1.4)
    torch.save(torch.zeros(12, 16, 8), tmp_path / "occupancy.pth")
    refused(tmp_path / "checkpoint.pth", "occupancy.pth", "true and false")


def test_kilonerf_distilled_checkpoint_is_a_list_of_pickled_networks(tmp_path: Path) -> None:
    state, file = kilo_state(), tmp_path / "checkpoint.pth"
    save_nodes(kilo_nodes(state), file)
    teacher = load_teacher(file)
    agree(teacher.fine, kilo_reference(state), half=1.4)
    assert not any(buffer.requires_grad for buffer in teacher.fine.buffers())
    nodes = kilo_nodes(state)
    save_nodes(nodes[::-1], file)
    refused(file, "not in the order")
    save_nodes(nodes[:-1], file)
    refused(file, "no grid")
    del nodes[3].network
    save_nodes(nodes, file)
    refused(file, "expected a grid of trained ones")
    nodes = kilo_nodes(state)
    nodes[5].network.alpha_linear.weight.data = torch.zeros(1, 1, 17)
    save_nodes(nodes, file)
    refused(file, "root_nodes 5", "alpha_linear", "(1, 1, 17): expected 1 x 1 x 16")
    nodes = kilo_nodes(state)
    nodes[5].domain_min = "here"
    save_nodes(nodes, file)
    refused(file, "domain")
    save_nodes(kilo_nodes(state), file, extra=Hostile(f"touch {tmp_path / 'trace'}"))
    refused(file, "refused unread")
    assert not (tmp_path / "trace").exists()


def test_kilonerf_teacher_is_a_nerf_pytorch_network(tmp_path: Path) -> None:
    shapes = {"pts_linears.0": (16, 63), "pts_linears.1": (16, 16), "feature_linear": (16, 16)}
    shapes |= {"alpha_linear": (1, 16), "views_linears.0": (8, 16 + 27), "rgb_linear": (3, 8)}
    state = random_state(shapes)
    torch.save({"global_step": 6, "model_state_dict": state}, tmp_path / "checkpoint_0600000.pth")

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(layer(state, "pts_linears.1", torch.relu(layer(state, "pts_linears.0", ftd(x, 10)))))
        view = torch.relu(
            layer(state, "views_linears.0", torch.cat([layer(state, "feature_linear", h), ftd(d, 4)], -1))
        )
        return torch.relu(layer(state, "alpha_linear", h)[:, 0]), torch.sigmoid(layer(state, "rgb_linear", view))

    teacher = load_teacher(tmp_path)
    assert teacher.family == "KiloNeRF"
    agree(teacher.fine, reference)


def test_broken_kilonerf_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint_0000010.pth"
    torch.save(as_finetuned(kilo_state()), file)
    refused(file, "--bounds", "bbox.txt")
    refused(file, "box", overrides=Overrides(bounds=np.array([[0, 0, 0], [1, -1, 1.0]])))
    (tmp_path / "bbox.txt").write_text("1 1 1 0 0 0")
    refused(file, "box")
    (tmp_path / "bbox.txt").write_text(BOX_FILE)
    for change, word in (
        ({"pts_linears.1": (24, 16, 17)}, "17 inputs"),
        ({"pts_linears.0": (24, 16, 64)}, "64 inputs"),
        ({"rgb_linear": (24, 4, 12)}, "do not fit"),
        ({"direction_layer": (24, 12, 40)}, "direction_layer"),
        ({"alpha_linear": (23, 1, 16)}, "24 networks"),
        ({"rgb_linear": (3, 12)}, "24 networks"),
        ({"pts_linears.0": (0, 16, 63)}, "0 networks"),
    ):
        torch.save(as_finetuned(kilo_state(change)), file)
        refused(file, word)
    content = as_finetuned(kilo_state())
    for name, value, word in (
        ("alpha_linear.bias", torch.full((24, 1), math.nan), "NaN"),
        ("alpha_linear.bias", torch.zeros(24), "24 networks"),
        ("pts_linears.0.weight", torch.tensor(1.0), "0 networks"),
        ("alpha_linear.bias", None, "no state dict"),
        ("x", Hostile(f"touch {tmp_path / 'trace'}"), "refused unread"),
    ):
        changed = content["model_state_dict"] | {name: value}
        torch.save(content | {"model_state_dict": changed}, file)
        refused(file, word)
    changed = {k: v for k, v in content["model_state_dict"].items() if "alpha" not in k}
    torch.save(content | {"model_state_dict": changed}, file)
    refused(file, "alpha_linear is missing")
    torch.save(content, file)
    for text in (f"fixed_resolution: [{10**30}, 1, 1]", "a: [", "7"):  # nothing that it could mean
        (tmp_path / "c.yaml").write_text(text)
        load_teacher(file)
    (tmp_path / "c.yaml").write_text("fixed_resolution: [3, 4, 4]")
    refused(file, "48 networks")
    assert not (tmp_path / "trace").exists()
