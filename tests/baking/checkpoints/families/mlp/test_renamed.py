"""Networks under any names: found by shapes and order, wired as usual or as the user says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from builders.grid.voxels import refused
from builders.mlp.forks import POINT, VIEW, Fork, W, renamed
from builders.mlp.naive import State, agree, differ, random_points, random_state
from duplex.baking.checkpoints.families.mlp import nerf_pytorch
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides, RadianceField
from duplex.baking.fields.mlp import NerfMlp

VANILLA = {
    **{f"pts_linears.{i}": (W, W) for i in range(8)},
    "pts_linears.0": (W, POINT),
    "pts_linears.5": (W, W + POINT),
    "views_linears.0": (W // 2, W + VIEW),
    "feature_linear": (W, W),
    "alpha_linear": (1, W),
    "rgb_linear": (3, W // 2),
}
OTHER_SKIPS = VANILLA | {"pts_linears.2": (W, W + POINT), "pts_linears.5": (W, W), "pts_linears.7": (W, W + POINT)}
WITHOUT_VIEWS = {k: v for k, v in VANILLA.items() if k.startswith("pts")} | {
    "views_linears.0": (W // 2, W),  # the original code always makes it
    "output_linear": (5, W),
}
WORDS = ["in", *"abcdefg", "look", "bridge", "occupancy", "paint"]
LISTED = ["stem", *(f"body.{i}" for i in range(7)), "tail.look", "tail.bridge", "tail.occupancy", "tail.paint"]
ONE_LIST = [f"module.layers.{2 * i}" for i in range(12)]
NO_VIEWS = [*(f"mlp.{i}.0" for i in range(8)), "unused", "out"]
CAPITALS = [f"nerf.{x}" for x in ("Zin", *(f"Z{i}" for i in range(2, 9)), "D", "C", "A", "B")]


def same(field: RadianceField, other: RadianceField) -> None:
    points, directions = random_points()
    (sigma, latent), (sigma2, latent2) = field.density(points), other.density(points)
    assert float(sigma2.std()) > 0.01 and torch.allclose(sigma, sigma2, atol=1e-5)
    assert torch.allclose(field.color(latent, directions), other.color(latent2, directions), atol=1e-5)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("shapes", "names"),
    [
        (VANILLA, list(VANILLA)),
        (VANILLA, WORDS),
        (VANILLA, LISTED),
        (VANILLA, ONE_LIST),
        (VANILLA, CAPITALS),
        (OTHER_SKIPS, LISTED),
        (WITHOUT_VIEWS, NO_VIEWS),
        (WITHOUT_VIEWS, list(WITHOUT_VIEWS)),
    ],
)
def test_other_names_draw_the_same(tmp_path: Path, shapes: dict[str, tuple[int, ...]], names: list[str]) -> None:
    state = random_state(shapes)
    found = load_teacher(saved(tmp_path / "a.pth", renamed(state, names)))
    assert found.family == "nerf by shapes"
    same(found.fine, nerf_pytorch.network(state, Overrides()))


def test_members_in_the_order_of_the_alphabet(tmp_path: Path) -> None:
    state = random_state({f"pts_linears.{i}": (W, W) for i in range(12)} | VANILLA)
    same_names = {f"net.{name}": value for name, value in state.items()}
    safetensors.torch.save_file(same_names, tmp_path / "a.safetensors")  # sorts 10 before 2, heads before the trunk
    same(load_teacher(tmp_path / "a.safetensors").fine, nerf_pytorch.network(state, Overrides()))


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(
    "layout",
    [
        lambda c, f: {"epoch": 3, "model": {"coarse": c, "fine": f}, "optimizer": {"state": c}},
        lambda c, f: {"model_state_dict": {**prefixed(c, "module.coarse."), **prefixed(f, "module.fine.")}},
        lambda c, f: {"network_fn": c, "network_fine": f, "optimizer_state_dict": {"a.weight": torch.zeros(3, 3)}},
        lambda c, f: {"a": {"state_dict": {"net": c, "net2": f}}, "poses": torch.zeros(5, 12)},
        lambda c, f: {"nerf": c, "nerf_fine": f},
        lambda c, f: prefixed(c, "models.0.") | prefixed(f, "models.1."),
    ],
)
def test_coarse_and_fine_wherever_they_lie(tmp_path: Path, layout: Callable[[State, State], object]) -> None:
    coarse, fine = random_state(VANILLA, 1), random_state(VANILLA, 2)
    found = load_teacher(saved(tmp_path / "a.tar", layout(renamed(coarse, LISTED), renamed(fine, LISTED))))
    same(found.coarse, nerf_pytorch.network(coarse, Overrides()))
    same(found.fine, nerf_pytorch.network(fine, Overrides()))


@pytest.mark.parametrize("member", ["model", "model_state_dict", "state_dict", "network_fn", "network", "net", "x"])
def test_one_network_under_any_member(tmp_path: Path, member: str) -> None:
    state = random_state(VANILLA)
    found = load_teacher(saved(tmp_path / "a.pt", {"epoch": 1, member: state, "optimizer_state_dict": {}}))
    assert found.coarse is found.fine or isinstance(found.fine, NerfMlp)
    same(found.fine, nerf_pytorch.network(state, Overrides()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) for name, value in renamed(random_state(VANILLA), LISTED).items()}
    own = {k: v.float() for k, v in zip(random_state(VANILLA), state.values(), strict=True)}
    same(load_teacher(saved(tmp_path / "a.pt", state)).fine, nerf_pytorch.network(own, Overrides()))


@pytest.mark.parametrize("zipped", [True, False])
def test_storages_of_apples_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    monkeypatch.setattr("torch.serialization.location_tag", lambda storage: "mps:0")
    state = random_state(VANILLA)
    torch.save(renamed(state, LISTED), tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    assert b"mps:0" in (tmp_path / "a.pt").read_bytes()
    same(load_teacher(tmp_path / "a.pt").fine, nerf_pytorch.network(state, Overrides()))


def test_kernels_of_jax_without_biases(tmp_path: Path) -> None:
    state = random_state(VANILLA)
    state |= {name: torch.zeros_like(value) for name, value in state.items() if name.endswith("bias")}
    kernels = {f"{k.removesuffix('.weight')}_w": v.T.numpy() for k, v in state.items() if k.endswith("weight")}
    np.savez(tmp_path / "a.npz", **kernels)
    same(load_teacher(tmp_path / "a.npz").fine, nerf_pytorch.network(state, Overrides()))
    biases = {f"{k.removesuffix('.bias')}_b": v.numpy() for k, v in random_state(VANILLA).items() if k.endswith("bias")}
    np.savez(tmp_path / "b.npz", **kernels, **biases)
    whole = state | {name: value for name, value in random_state(VANILLA).items() if name.endswith("bias")}
    same(load_teacher(tmp_path / "b.npz").fine, nerf_pytorch.network(whole, Overrides()))


FORKS: list[tuple[Fork, dict[str, Any]]] = [
    (Fork(), {}),
    (Fork(hidden_first=True), {"skip_order": "hidden-first"}),
    (Fork(order="tfd", skips=(1, 4)), {"encoding": "tfd"}),
    (Fork(order="dtf", pi=True), {"encoding": "dtf", "wiring": ("pi-frequencies",)}),
    (Fork(linear_first=True, feature="relu", skips=()), {"wiring": ("relu-feature", "linear-first")}),
    (Fork(views_first=True), {"wiring": ("views-first",)}),
    (Fork(feature="none"), {}),
]


@pytest.mark.parametrize(("fork", "given"), FORKS)
def test_wirings_match_naive_ones(tmp_path: Path, fork: Fork, given: dict[str, Any]) -> None:
    file = saved(tmp_path / "a.pt", fork.state())
    reference = fork.reference(fork.state())
    agree(load_teacher(file, overrides=Overrides(**given)).fine, reference)
    if given:
        usual = load_teacher(file)
        assert differ(usual.fine, reference)
        flags = [f"--{name.replace('_', '-')}" for name in given]
        assert all(any(flag in sentence for sentence in usual.scene.assumed) for flag in flags)


def test_a_last_square_layer_may_belong_to_the_trunk(tmp_path: Path) -> None:
    fork = Fork(depth=7, feature="none")
    names = [*(f"body.{i}" for i in range(6)), "bridge", "look", "occupancy", "paint"]  # as a feature is called
    file = saved(tmp_path / "a.pt", renamed(fork.state(), names))
    agree(load_teacher(file, overrides=Overrides(wiring=("no-feature",))).fine, fork.reference(fork.state()))
    assert differ(load_teacher(file).fine, fork.reference(fork.state()))


def test_density_and_feature_from_one_layer(tmp_path: Path) -> None:
    fork = Fork()
    state = fork.state()
    both = {part: torch.cat([state[f"occupancy.{part}"], state[f"bridge.{part}"]]) for part in ("weight", "bias")}
    rest = {name: value for name, value in state.items() if not name.startswith(("occupancy", "bridge"))}
    for order, wiring in (((0, 1), None), ((1, 0), ("density-last",))):
        mixed = {f"both.{k}": torch.cat([(v[:1], v[1:])[i] for i in order]) for k, v in both.items()}
        found = load_teacher(saved(tmp_path / "a.pt", rest | mixed), overrides=Overrides(wiring=wiring))
        agree(found.fine, fork.reference(state))


def test_colour_and_density_without_directions(tmp_path: Path) -> None:
    state = random_state(WITHOUT_VIEWS)
    own = nerf_pytorch.network(state, Overrides())
    trunk = {name: value for name, value in state.items() if name.startswith("pts")}
    out = {part: state[f"output_linear.{part}"][:4] for part in ("weight", "bias")}
    heads = {f"s.{k}": v[3:] for k, v in out.items()} | {f"c.{k}": v[:3] for k, v in out.items()}
    same(load_teacher(saved(tmp_path / "a.pt", trunk | heads)).fine, own)
    turned = {f"o.{k}": v[[3, 0, 1, 2]] for k, v in out.items()}
    same(
        load_teacher(saved(tmp_path / "b.pt", trunk | turned), overrides=Overrides(wiring=("density-first",))).fine, own
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embedding": (20, 16)}, ("embedding (16 to 20) has no place",)),
        ({"views_linears.0": (W // 2, W + 16)}, ("views_linears.0",)),
        ({"alpha_linear": (2, W)}, ("no layer gives one number",)),
        ({"second": (1, W)}, ("alpha_linear (24 to 1) and second (24 to 1) both",)),
        ({"pts_linears.0": (W, 64)}, ("pts_linears.0 (64 to 24)",)),
        ({"pts_linears.0": (W, 96)}, ("pts_linears.0 (96 to 24)",)),
        ({f"more.{i}": (W, W) for i in range(70)}, ("layers, not 3 to 64",)),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, change: dict[str, tuple[int, ...]], words: tuple[str, ...]) -> None:
    state = random_state(VANILLA | change)
    refused(saved(tmp_path / "a.pt", {"epoch": 1, "model": state, "optimizer": {}}), "pts_linears.0.weight", *words)


def test_a_layer_norm_is_no_bias(tmp_path: Path) -> None:
    state = random_state(VANILLA) | {"norm.weight": torch.ones(W), "norm.bias": torch.zeros(W)}
    refused(saved(tmp_path / "a.pt", state), "norm.weight is no layer's bias")


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    state = renamed(random_state(VANILLA), LISTED)
    refused(
        saved(tmp_path / "a.pt", state | {"tail.paint.bias": torch.full((3,), torch.nan)}), "NaN", "tail.paint.bias"
    )
