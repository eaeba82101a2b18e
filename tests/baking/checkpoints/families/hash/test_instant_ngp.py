"""Snapshots of instant-ngp against a naive field."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch

from builders.hash.instant_ngp import save_snapshot, snapshot
from builders.hash.naive import random_points
from builders.hash.naive_ngp import density_grid, ngp_reference
from builders.hostile import WRONG_PLAIN, refused, survived
from duplex.baking.checkpoints.loading import load_teacher

CASES: dict[str, dict[str, Any]] = {
    "older, 16 levels of 2 features": {"levels": 9},
    "newer, levels of 4 features, growth found by itself": {"levels": 8, "features": 4, "growth": 0.0},
    "float32, one cube": {"wide": True, "aabb_scale": 1, "log2": 10},
    "smooth, Mitsuba": {"smooth": True, "mitsuba": True},
    "HDR, older CUTLASS": {"hdr": True, "rgb": "CutlassMLP", "outputs": 8},
}


@pytest.mark.parametrize("case", CASES)
def test_instant_ngp_matches_the_naive_field(tmp_path: Path, case: str) -> None:
    content = snapshot(**CASES[case])
    file = save_snapshot(tmp_path, content, "base.ingp" if "newer" in case else "base.msgpack")
    teacher = load_teacher(file)
    points, directions = random_points(60, 6.0)
    sigma, latent = teacher.fine.density(points)
    color = teacher.fine.color(latent, directions)
    empty, fine = 0, "newer" in case
    for i, (p, d) in enumerate(zip(points.double().numpy(), directions.double().numpy(), strict=True)):
        expected, rgb = ngp_reference(content, p, d, CASES[case].get("outputs", 16))
        assert (
            abs(float(sigma[i]) - expected) <= (2e-2 if fine else 1e-3) * expected
        )  # float32 on a level of 4096 cells
        if expected:
            assert np.abs(color[i].numpy() - rgb).max() < (1e-2 if fine else 1e-4)
        empty += not expected
    assert 0 < empty < 60 and teacher.coarse is teacher.fine and teacher.family == "instant-ngp"


@pytest.mark.parametrize("change", ["axes", "transposed", "shift", "phase", "order", "scale"])
def test_a_wrongly_read_instant_ngp_would_be_seen(change: str) -> None:
    content = snapshot()
    points, directions = random_points(30, 1.5)
    worst = 0.0
    for p, d in zip(points.double().numpy(), directions.double().numpy(), strict=True):
        sigma, rgb = ngp_reference(content, p, d)
        other, bgr = ngp_reference(content, p, d, change=change)
        worst = max(worst, abs(sigma - other) / max(sigma, other, 1e-9))
        worst = max(worst, float(np.abs(rgb - bgr).max()) if len(rgb) and len(bgr) else 0.0)
    assert worst > 0.05


def test_the_density_grid_of_instant_ngp_is_a_mask(tmp_path: Path) -> None:
    content = snapshot(extra={"density_grid_binary": density_grid(2)})
    teacher = load_teacher(save_snapshot(tmp_path, content))
    points, _ = random_points(300, 5.0)
    sigma = teacher.fine.density(points)[0]
    expected = [ngp_reference(content, p, np.ones(3))[0] for p in points.double().numpy()]
    seen = np.array(expected) > 0
    assert bool(((sigma.numpy() > 0) == seen).all()) and 30 < seen.sum() < 270
    assert np.allclose(sigma.numpy(), expected, rtol=1e-3)
    assert "%" in teacher.fine.describe()["occupied"]


def test_the_scene_of_an_instant_ngp_snapshot(tmp_path: Path) -> None:
    content = snapshot(extra={"render_aabb": {"min": [0, 0.25, -0.5], "max": [1, 0.75, 9]}})
    scene = load_teacher(save_snapshot(tmp_path, content)).scene
    assert scene.bounds is not None and scene.to_checkpoint is not None and scene.assumed == ()
    low, high = np.array(scene.bounds)
    # x, y, z of the snapshot are y, z, x of the world, times 0.25, plus 0.25, 0.125, 0.5
    assert np.allclose(low, [(-0.5 - 0.5) / 0.25, (0 - 0.25) / 0.25, (0.25 - 0.125) / 0.25])
    assert np.allclose(high, [(1.5 - 0.5) / 0.25, (1 - 0.25) / 0.25, (0.75 - 0.125) / 0.25])
    matrix = np.array(scene.to_checkpoint).reshape(4, 4)
    assert np.allclose(matrix @ [1, 2, 3, 1], [2 * 0.25 + 0.25, 3 * 0.25 + 0.125, 0.25 + 0.5, 1])
    half = 0.5 * math.sqrt(1 + 0.25 + 4)
    assert scene.near == pytest.approx((3.0 - half) / 0.25) and scene.far == pytest.approx((6.0 + half) / 0.25)
    assert scene.background == (0.5, 0.25, 0) and scene.principal_shift == 0 and scene.dataset_to_world is None
    del content["snapshot"]["nerf"]["dataset"], content["snapshot"]["background_color"]
    assumed = load_teacher(save_snapshot(tmp_path, content, "bare.msgpack")).scene.assumed
    assert len(assumed) == 3 and "0.33" in assumed[0] and "--background" in assumed[1] and "--near" in assumed[2]


def test_old_snapshots_do_not_name_the_type_of_their_weights(tmp_path: Path) -> None:
    points, _ = random_points(20, 1.5)
    for wide in (False, True):
        content = snapshot(wide=wide)
        whole = load_teacher(save_snapshot(tmp_path, content)).fine.density(points)[0]
        del content["snapshot"]["params_type"]
        assert torch.equal(load_teacher(save_snapshot(tmp_path, content)).fine.density(points)[0], whole)


def put(path: str, value: Any) -> dict[str, Any]:
    """A snapshot with another value at ``path``; ``...`` removes the member."""
    content = snapshot()
    *parents, last = path.split("/")
    place = content
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return content


PARAMS = np.frombuffer(snapshot()["snapshot"]["params_binary"], "<f2")
DAMAGES: list[tuple[str, Any, tuple[str, ...]]] = [
    ("snapshot/params_binary", np.array([*PARAMS[:-1], np.nan], "<f2").tobytes(), ("NaN", "params_binary")),
    ("snapshot/params_binary", PARAMS[:-1].tobytes(), ("bytes", "numbers")),
    ("snapshot/params_binary", "text", ("params_binary",)),
    ("snapshot/params_binary", ..., ("params_binary",)),
    ("snapshot/params_type", "double", ("double",)),
    ("snapshot/n_params", 1 << 40, ("n_params",)),
    ("snapshot/n_params", "many", ("n_params",)),
    ("snapshot/mode", "sdf", ("mode sdf",)),
    ("snapshot/density_grid_binary", bytes(1000), ("density grid",)),
    ("snapshot/density_grid_binary", 7, ("density_grid_binary: 7",)),
    ("snapshot/background_color", [1, 2], ("background_color",)),
    ("snapshot/render_aabb", {"min": [9, 9, 9], "max": [9, 9, 9]}, ("render_aabb",)),
    ("snapshot/render_aabb", {"min": [0, 0], "max": [1, 1, 1]}, ("min",)),
    ("snapshot/nerf/aabb_scale", 3, ("aabb_scale", "power of two")),
    ("snapshot/nerf/aabb_scale", 1 << 40, ("aabb_scale",)),
    ("snapshot/nerf/dataset/scale", 0, ("scale",)),
    ("snapshot/nerf/dataset/scale", math.nan, ("scale",)),
    ("snapshot/nerf/dataset/offset", [1, 2], ("offset",)),
    ("snapshot/nerf/dataset/n_extra_learnable_dims", 8, ("n_extra_learnable_dims",)),
    ("encoding", ..., ("unknown family",)),
    ("encoding", [], ("encoding",)),
    ("encoding/otype", "DenseGrid", ("DenseGrid",)),
    ("encoding/interpolation", "Nearest\n", ("Nearest",)),
    ("encoding/n_levels", 9, ("weights",)),
    ("encoding/n_levels", 10**6, ("n_levels",)),
    ("encoding/n_features_per_level", 0, ("n_features_per_level",)),
    ("encoding/log2_hashmap_size", 60, ("log2_hashmap_size",)),
    ("encoding/base_resolution", -4, ("base_resolution",)),
    ("encoding/per_level_scale", 0.4, ("grows",)),
    ("encoding/per_level_scale", 1e30, ("per_level_scale: 1.0", "expected a number")),
    ("network/n_neurons", 10**9, ("n_neurons",)),
    ("network/n_hidden_layers", -1, ("n_hidden_layers",)),
    ("network/activation", "Sine", ("Sine",)),
    ("dir_encoding/nested", [{"otype": "Frequency"}], ("Frequency",)),
    ("dir_encoding", 3, ("dir_encoding",)),
    ("rgb_network", ..., ("rgb_network",)),
]


def test_damaged_snapshots_are_refused(tmp_path: Path) -> None:
    for i, (path, value, words) in enumerate(DAMAGES):
        refused(save_snapshot(tmp_path, put(path, value), f"{i}.msgpack"), *words)


def test_snapshots_of_wrong_sizes_are_refused(tmp_path: Path) -> None:
    grid = np.full(2 << 21, np.nan, "<f2").tobytes()
    refused(save_snapshot(tmp_path, put("snapshot/density_grid_binary", grid), "nan.msgpack"), "density grid", "NaN")
    sized = snapshot(extra={"density_grid_binary": bytes(8 << 20), "density_grid_size": 64})
    refused(save_snapshot(tmp_path, sized, "sized.msgpack"), "density grid", "side 64")
    whole = zlib.compress(msgpack.packb(snapshot()))
    (tmp_path / "cut.ingp").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.ingp", "damaged")


PLACES = [
    *dict.fromkeys(path for path, _, _ in DAMAGES),
    *(
        "snapshot",
        "snapshot/nerf",
        "snapshot/nerf/dataset",
        "snapshot/nerf/dataset/xforms",
        "snapshot/density_grid_size",
    ),
    *("snapshot/nerf/dataset/from_mitsuba", "snapshot/nerf/dataset/is_hdr", "snapshot/render_aabb_to_local"),
    *("encoding/n_features", "encoding/type", "encoding/hash", "network", "network/n_output_dims", "network/otype"),
    *("rgb_network/n_neurons", "dir_encoding/degree", "snapshot/render_aabb/max"),
]


@pytest.mark.parametrize("kind", WRONG_PLAIN)
def test_no_wrong_value_in_a_snapshot_is_believed(tmp_path: Path, kind: str) -> None:
    for i, path in enumerate(PLACES):
        survived(save_snapshot(tmp_path, put(path, WRONG_PLAIN[kind]), f"{i}.msgpack"))


def test_a_snapshot_of_more_levels_than_any_is_refused(tmp_path: Path) -> None:
    content = put("encoding/n_features", 512)
    content["encoding"]["n_features_per_level"] = 1
    refused(save_snapshot(tmp_path, content), "n_features: 512")
