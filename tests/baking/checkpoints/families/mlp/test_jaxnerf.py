"""jaxnerf's networks against a naive one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from builders.hostile import at_most, refused
from builders.mlp.flax import JAX, flax_network, write_flax
from builders.mlp.naive import Reference, State, agree, differ, ftd, layer, random_points, random_state, tfd
from duplex.baking.checkpoints.families.mlp import jaxnerf
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides
from duplex.baking.fields.spaces import Ndc


def jax_reference(state: State, encode: Callable[[Tensor, int], Tensor], hidden_first: bool = True) -> Reference:
    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        inputs = encode(x, 10)
        h = inputs
        for i in range(8):
            h = torch.relu(layer(state, f"Dense_{i}", h))
            if i % 4 == 0 and i > 0:
                h = torch.cat([h, inputs] if hidden_first else [inputs, h], -1)
        sigma = torch.relu(layer(state, "Dense_8", h)[:, 0])
        view = torch.cat([layer(state, "Dense_9", h), encode(d, 4)], -1)
        return sigma, torch.sigmoid(layer(state, "Dense_11", torch.relu(layer(state, "Dense_10", view))))

    return reference


@pytest.mark.parametrize("wrapped", ["old", "new"])
@pytest.mark.parametrize("order", ["assumed", "override", "yaml", "gin", "tf"])
def test_jaxnerf_checkpoint_matches_a_naive_network(tmp_path: Path, order: str, wrapped: str) -> None:
    coarse, fine = random_state(JAX, 1), random_state(JAX, 2)
    write_flax(tmp_path / "checkpoint_1000", {"MLP_0": flax_network(fine), "MLP_1": flax_network(coarse)}, wrapped)
    write_flax(tmp_path / "checkpoint_20000", {"MLP_0": flax_network(coarse), "MLP_1": flax_network(fine)}, wrapped)
    encode, overrides = ftd, Overrides()
    if order == "assumed":
        encode = tfd
    elif order == "override":
        overrides = Overrides(encoding="ftd")
    elif order == "yaml":
        (tmp_path / "config.yaml").write_text("dataset: blender\nwhite_bkgd: false\nlegacy_posenc_order: True\n")
    elif order == "gin":
        (tmp_path / "config.gin").write_text('Config.dataset = "blender"\nConfig.legacy_posenc_order = True\n')
    else:
        (tmp_path / "args.txt").write_text("tf_posenc_order = True\n")
    teacher = load_teacher(tmp_path, None, overrides)
    assert teacher.path.name == "checkpoint_20000"
    agree(teacher.coarse, jax_reference(coarse, encode))
    agree(teacher.fine, jax_reference(fine, encode))
    assert any("--encoding ftd" in text for text in teacher.scene.assumed) == (order == "assumed")
    assert teacher.scene.background == ((0, 0, 0) if order == "yaml" else (1, 1, 1))
    other = tfd if encode is ftd else ftd
    assert differ(teacher.fine, jax_reference(fine, other))
    assert differ(teacher.fine, jax_reference(fine, encode, hidden_first=False))


def test_jaxnerf_arrays_in_pieces(tmp_path: Path) -> None:
    state = random_state(JAX)
    file = write_flax(tmp_path / "checkpoint_1", {"MLP_0": flax_network(state, cut=100)})
    teacher = load_teacher(file)
    assert teacher.coarse is teacher.fine
    agree(teacher.fine, jax_reference(state, tfd))
    network = flax_network(state, cut=100)
    shape = network["Dense_3"]["kernel"]["shape"]
    for broken, word in (
        ({**shape, "0": 25}, "shape (25, 24)"),
        ({**shape, "0": 1 << 60}, f"shape: 0: {1 << 60}"),
        ({**shape, "0": -24}, "shape: 0: -24"),
        ({**shape, "0": "many"}, "shape: 0: many"),
        ({"0": 24, "2": 24}, "shape: 1: missing"),
        ({str(i): 1 for i in range(100)}, "without a shape"),
        ({}, "without a shape"),
        (7, "without a shape"),
    ):
        network["Dense_3"]["kernel"]["shape"] = broken
        refused(write_flax(tmp_path / "checkpoint_2", {"MLP_0": network}), "Dense_3: kernel", word)
    network["Dense_3"]["kernel"]["shape"] = shape
    del network["Dense_3"]["kernel"]["chunks"]["1"]
    refused(write_flax(tmp_path / "checkpoint_2", {"MLP_0": network}), "chunked array")


def test_jaxnerf_without_view_directions(tmp_path: Path) -> None:
    state = random_state({"Dense_0": (16, 39), "Dense_1": (16, 16), "Dense_2": (1, 16), "Dense_3": (3, 16)})

    def reference(x: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(layer(state, "Dense_1", torch.relu(layer(state, "Dense_0", tfd(x, 6)))))
        return torch.relu(layer(state, "Dense_2", h)[:, 0]), torch.sigmoid(layer(state, "Dense_3", h))

    agree(load_teacher(write_flax(tmp_path / "checkpoint_1", {"MLP_0": flax_network(state)})).fine, reference)


@pytest.mark.parametrize("part", ["\n", "a.", ".", "a ", " ", "a.b_", "near\n", "near:0\n"])
def test_jaxnerf_configurations_are_read_in_time_that_grows_with_their_length(tmp_path: Path, part: str) -> None:
    assert jaxnerf.OPTION.findall("\n" * 300_000 + "a.b =  'c'") == [("b", "c")]
    file = write_flax(tmp_path / "checkpoint_1", {"MLP_0": flax_network(random_state(JAX))})
    (tmp_path / "a.txt").write_text(part * (1_000_000 // len(part)))
    with at_most(5):
        load_teacher(file)


def test_jaxnerf_scene_from_its_configuration(tmp_path: Path) -> None:
    state = random_state(JAX)
    file = write_flax(tmp_path / "checkpoint_1", {"MLP_0": flax_network(state)})
    config = tmp_path / "llff.yaml"
    config.write_text("dataset: llff\nfactor: 4\nnear: 0.\nfar: 1.\nnum_fine_samples: 96\nsigma_activation: softplus\n")
    teacher = load_teacher(file)
    assert isinstance(teacher.scene.space, Ndc) and not teacher.scene.space.field_views
    assert (teacher.scene.fine_samples, teacher.scene.far) == (96, 1)
    points, _ = random_points()
    relu = load_teacher(file, None, Overrides(activation="relu"))
    assert float(teacher.fine.density(points)[0].min()) > 0 == float(relu.fine.density(points)[0].min())
    config.write_text("dataset: blender\nfactor: 2\nuse_pixel_centers: true\n")
    assert load_teacher(file).scene.principal_shift == 0
    config.write_text("dataset: blender\nfactor: 2\n")
    assert load_teacher(file).scene.principal_shift == 0.5 / 400
    for text, word in (
        ("near: x", "near: x"),
        ("near: 7", "near 7"),
        ("near: 1e999", "near: inf"),
        ("num_fine_samples: 99999999999999999999999", "num_fine_samples: a huge number"),
        ("white_bkgd: 7", "white_bkgd: 7"),
        ("sigma_activation: elu", "elu"),
    ):
        config.write_text("dataset: blender\n" + text)
        refused(file, word)


def test_broken_jaxnerf_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint_1"
    for change, word in (
        ({"Dense_0": (24, 96)}, "mip-NeRF"),
        ({"Dense_0": (24, 64)}, "64"),
        ({"Dense_5": (24, 24)}, ""),
        ({"Dense_4": (24, 20)}, "20 inputs"),
        ({"Dense_8": (2, 24)}, "none of them a density"),
        ({"Dense_11": (4, 12)}, "4 outputs"),
    ):
        write_flax(file, {"MLP_0": flax_network(random_state(JAX | change))})
        if word:
            refused(file, word)
    state = random_state(JAX)
    network = flax_network(state)
    del network["Dense_4"]
    refused(write_flax(file, {"MLP_0": network}), "Dense_4")
    network = flax_network(state)
    del network["Dense_4"]["bias"]
    refused(write_flax(file, {"MLP_0": network}), "Dense_4: bias")
    network = flax_network(state | {"Dense_4.bias": torch.full((24,), math.nan)})
    refused(write_flax(file, {"MLP_0": network}), "NaN")
    refused(write_flax(file, {"MLP_0": {"Dense_0": 3}}), "unknown family")
    refused(write_flax(file, {"MLP_0": {"Dense_0": {}, "Dense_1": 4}}), "Dense_0: kernel")
