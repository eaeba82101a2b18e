"""svox2's files against a naive field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.grid.plenoxels import plenoxels, write_npz
from builders.grid.voxels import Content, Values, agree, harmonics, loaded, random_rays, refused, trilinear
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides

pytestmark = pytest.mark.usefixtures("one_thread")


def naive_plenoxels(content: Content, points: np.ndarray, directions: np.ndarray) -> Values:
    links, radius, center = (content[name].astype(np.float64) for name in ("links", "radius", "center"))
    sides, count = np.array(links.shape), content["sh_data"].shape[1] // 3
    data = np.concatenate([content["density_data"], content["sh_data"]], 1, dtype=np.float64)
    dense = np.where(links[..., None] >= 0, data[np.maximum(links, 0).astype(int)], 0)
    sigma, rgb = np.zeros(len(points)), np.zeros((len(points), 3))
    for n, (point, direction) in enumerate(zip(points.astype(np.float64), directions.astype(np.float64), strict=True)):
        if (np.abs(point - center) > radius).any():
            continue
        place = point * (0.5 / radius) * sides + 0.5 * (1 - center / radius) * sides - 0.5
        value = trilinear(dense, np.clip(place, 0, sides - 1))
        sigma[n] = max(value[0], 0)
        for channel in range(3):
            coefficients = value[1 + channel * count : 1 + (channel + 1) * count]
            rgb[n, channel] = np.clip((coefficients * harmonics(direction, count)).sum() + 0.5, 0, 1)
    return sigma, rgb


@pytest.mark.parametrize("count", [1, 4, 9])
@pytest.mark.parametrize("release", ["first", "later"])
def test_plenoxels_match_naive_ones(tmp_path: Path, count: int, release: str) -> None:
    content = plenoxels(count)
    low, high = content["center"] - content["radius"], content["center"] + content["radius"]
    written = dict(content)
    if release == "first":
        del written["basis_type"], written["sh_data"]
        written["data"] = np.concatenate([written.pop("density_data"), content["sh_data"]], 1, dtype=np.float32)
    path, rays = write_npz(tmp_path / "ckpt.npz", written), random_rays(low, high)
    assert agree(loaded(path, *rays), naive_plenoxels(content, *rays))
    teacher = load_teacher(path)
    assert teacher.family == "Plenoxels" and teacher.coarse is teacher.fine
    assert np.allclose(teacher.scene.bounds, [low, high], atol=1e-6)


PLENOXEL_MISTAKES: list[Callable[[Content], Content]] = [
    lambda c: {"links": c["links"].transpose(2, 1, 0)},
    lambda c: {"links": np.abs(c["links"])},  # a missing voxel read as another one
    lambda c: {"sh_data": c["sh_data"].reshape(-1, 9, 3).transpose(0, 2, 1).reshape(-1, 27)},
    lambda c: {"radius": c["radius"] * 5 / 4},  # values on the box's faces instead of in voxels' middles
    lambda c: {"center": -c["center"]},
]


@pytest.mark.parametrize("mistake", PLENOXEL_MISTAKES)
def test_every_misreading_of_plenoxels_would_be_seen(tmp_path: Path, mistake: Callable[[Content], Content]) -> None:
    content = plenoxels(sides=(5, 5, 5))
    rays = random_rays(content["center"] - content["radius"], content["center"] + content["radius"])
    found = loaded(write_npz(tmp_path / "ckpt.npz", content), *rays)
    assert agree(found, naive_plenoxels(content, *rays))
    assert not agree(found, naive_plenoxels({**content, **mistake(content)}, *rays))


def test_plenoxels_of_forward_facing_photos_have_y_down(tmp_path: Path) -> None:
    content = plenoxels()
    path, rays = write_npz(tmp_path / "ckpt.npz", content), random_rays([-1, -1, -1], [1.5, 1.2, 1.2])
    flip = np.array([1, -1, 1], np.float32)
    assert agree(loaded(path, *rays, space="ndc"), naive_plenoxels(content, rays[0] * flip, rays[1] * flip))
    scene = load_teacher(path, overrides=Overrides(space="ndc")).scene
    assert scene.space.name == "ndc" and scene.space.field_views and (scene.near, scene.far) == (0, 1)
    assert np.allclose(scene.bounds, [[-1.3, -1.1, -0.6], [1.7, 1.3, 1.2]], atol=1e-6)
    (tmp_path / "args.json").write_text('{"config": "configs/llff.json", "background_brightness": 0.5}')
    assert load_teacher(path).scene.space.name == "ndc"
    assert load_teacher(path, overrides=Overrides(space="world")).scene.space.name == "world"


def test_plenoxels_scene_and_what_is_assumed_of_it(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "ckpt.npz", plenoxels(unit=True))
    scene = load_teacher(path).scene
    assert np.allclose([scene.near, scene.far], [4 / 3, 4]) and scene.background == (1, 1, 1)
    assert np.allclose(np.reshape(scene.dataset_to_world, (4, 4)), np.diag([2 / 3, 2 / 3, 2 / 3, 1]))
    assert "--background" in scene.assumed[0] and "--near" in scene.assumed[1]
    (tmp_path / "args.json").write_text('{"scene_scale": 0.5, "background_brightness": 0.0, "config": null}')
    scene = load_teacher(path).scene
    assert (scene.near, scene.far, scene.background) == (1, 3, (0, 0, 0)) and len(scene.assumed) == 1
    (tmp_path / "args.json").write_text('{"scene_scale": "NaN"}')
    refused(path, "args.json", "mend it")
    (tmp_path / "args.json").unlink()
    layers = {"background_links": np.zeros((8, 4), np.int32), "background_data": np.zeros((32, 4, 4), np.float32)}
    scene = load_teacher(write_npz(path, plenoxels(unit=True) | layers)).scene
    assert any("background layers" in text for text in scene.assumed) and scene.dataset_to_world is None


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("sh_data", None, ("sh_data", "missing")),
        ("sh_data", np.zeros((96, 26), np.float16), ("26", "coefficients")),
        ("sh_data", np.zeros((95, 27), np.float16), ("sh_data", "(95, 27)")),
        ("sh_data", np.full((96, 27), np.inf, np.float16), ("sh_data", "infinity")),
        ("density_data", np.full((96, 1), np.nan), ("density_data", "NaN")),
        ("density_data", np.array(["x"]), ("density_data", "no numbers")),
        ("links", np.full((4, 5, 6), 96, np.int32), ("voxel 96 of 96",)),
        ("links", np.full((4, 5, 6), 1 << 40, np.int64), ("links", "32 bits")),
        ("links", np.zeros((1, 5, 6), np.int32), ("links", "(1, 5, 6)")),
        ("links", np.zeros((4, 5), np.int32), ("links", "(4, 5)")),
        ("links", np.zeros((4, 5, 6)), ("links", "whole numbers")),
        ("radius", np.zeros(3), ("radius", "positive")),
        ("radius", np.full(3, 1e-40), ("radius", "positive")),
        ("radius", np.full(3, 1e7), ("near", "expected 0 <= near < far")),
        ("center", np.full(3, 1e30), ("a box", "positive size")),
        ("links", np.asfortranarray(np.full((4, 5, 6), 1 << 20)), ("voxel 1048576 of 96",)),
        ("basis_type", np.array(-7), ("basis_type", "-7")),
        ("center", np.zeros(2), ("center", "(2,)")),
        ("basis_type", np.array(4), ("3D texture", "spherical harmonics")),
        ("basis_type", np.array(255), ("network", "basis_type 255")),
    ],
)
def test_broken_plenoxels_are_refused_in_one_sentence(
    tmp_path: Path, member: str, value: Any, words: tuple[str, ...]
) -> None:
    content = plenoxels() | {member: value}
    if value is None:
        del content[member]
    refused(write_npz(tmp_path / "broken.npz", content), *words)
