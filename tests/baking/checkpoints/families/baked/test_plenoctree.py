"""svox's trees against a naive walk through them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.grid.plenoctree import plenoctree, quantised
from builders.grid.plenoxels import write_npz
from builders.grid.voxels import Content, Values, agree, harmonics, loaded, random_rays, refused, rng, sigmoid
from duplex.baking.checkpoints.loading import load_teacher

pytestmark = pytest.mark.usefixtures("one_thread")


def naive_plenoctree(content: Content, points: np.ndarray, directions: np.ndarray) -> Values:
    form, child, data = str(content["data_format"]), content["child"], content["data"].astype(np.float64)
    count, branches = (data.shape[-1] - 1) // 3, child.shape[1]
    sigma, rgb = np.zeros(len(points)), np.zeros((len(points), 3))
    for n, (point, direction) in enumerate(zip(points.astype(np.float64), directions.astype(np.float64), strict=True)):
        place = content["offset"].astype(np.float64) + content["invradius3"] * point
        if (place < 0).any() or (place > 1).any():
            continue
        node = 0
        while True:
            cell = np.floor(place * branches).astype(int)
            place = place * branches - cell
            step = child[(node, *cell)]
            if step == 0:
                break
            node += step
        leaf = data[(node, *cell)]
        sigma[n] = max(leaf[-1], 0)
        basis = np.ones(1)
        if form.startswith("SH"):
            basis = harmonics(direction, count)
        elif form.startswith("SG"):
            basis = np.array([math.exp(lobe[0] * (lobe[1:] @ direction - 1)) / count for lobe in content["extra_data"]])
        rgb[n] = sigmoid(np.array([(leaf[c * count : (c + 1) * count] * basis).sum() for c in range(3)]))
    return sigma, rgb


def octree_rays(content: Content) -> Values:
    """Points in and around the tree's box, more of them around its deepest node, and unit directions."""
    branches, corner, size = content["child"].shape[1], np.zeros(3), 1.0
    for cell in (1, 3, 2, 1):  # of the nodes 0, 1, 4 and 7
        size /= branches
        corner += size * np.array([cell // branches**2, cell // branches % branches, cell % branches])
    low, high = ((edge - content["offset"]) / content["invradius3"] for edge in (0, 1))
    points, directions = random_rays(low, high)
    zoom = float(branches) ** -rng(7).integers(0, 5, (100, 1))
    near = corner + size / 2 + zoom * rng(8).uniform(-1, 1, (100, 3))
    points[:100] = (near - content["offset"]) / content["invradius3"]
    return points, directions


@pytest.mark.parametrize("form", ["SH9", "SH4", "SH1", "SG5", "RGBA"])
@pytest.mark.parametrize("branches", [2, 3])
def test_plenoctrees_match_naive_ones(tmp_path: Path, form: str, branches: int) -> None:
    content = plenoctree(form, branches)
    path, rays = write_npz(tmp_path / "tree.npz", content), octree_rays(content)
    assert agree(loaded(path, *rays), naive_plenoctree(content, *rays))
    teacher = load_teacher(path)
    assert teacher.family == "PlenOctree" and teacher.coarse is teacher.fine and "--near" in teacher.scene.assumed[0]
    assert np.allclose(teacher.scene.bounds, [[-1, -5 / 3, -1.2], [1.5, 5 / 3, 0.8]], atol=1e-5)
    assert "5 deep" in teacher.fine.describe()["network"]


@pytest.mark.parametrize("retained", [0, 1, 4])
def test_quantised_plenoctrees_match_the_whole_one(tmp_path: Path, retained: int) -> None:
    content = plenoctree()
    path, rays = write_npz(tmp_path / "tree.npz", quantised(content, retained)), octree_rays(content)
    assert agree(loaded(path, *rays), naive_plenoctree(content, *rays))


def test_plenoctrees_of_the_first_releases_tell_less(tmp_path: Path) -> None:
    content = plenoctree() | {"invradius3": np.full(3, 0.4, np.float32)}
    old = {k: v for k, v in content.items() if k not in ("data_format", "invradius3", "n_free")}
    path, rays = write_npz(tmp_path / "tree.npz", old | {"invradius": np.array(0.4)}), octree_rays(content)
    assert agree(loaded(path, *rays), naive_plenoctree(content, *rays))


def test_colours_that_are_no_logits_are_left_alone(tmp_path: Path) -> None:
    content = plenoctree("RGBA")
    content["data"][..., :3] = rng(6).uniform(0, 1, content["data"][..., :3].shape)
    rays = octree_rays(content)
    logits = content["data"].astype(np.float64)
    logits[..., :3] = np.log(logits[..., :3].clip(1e-4, 0.9999) / (1 - logits[..., :3].clip(1e-4, 0.9999)))
    found = loaded(write_npz(tmp_path / "tree.npz", content), *rays)
    assert agree(found, naive_plenoctree({**content, "data": logits}, *rays))


def test_a_density_before_its_activation(tmp_path: Path) -> None:
    content = plenoctree()
    path, rays = write_npz(tmp_path / "tree.npz", content), octree_rays(content)
    relu, soft = (loaded(path, *rays, activation=name)[0] for name in ("relu", "shifted-softplus"))
    assert np.array_equal(loaded(path, *rays)[0], relu) and relu.min() == 0
    assert np.allclose(soft[relu > 0], np.logaddexp(0, relu[relu > 0] - 1), rtol=1e-4, atol=1e-6)
    assert 0 < soft[relu == 0].max() < np.logaddexp(0, -1)  # of densities below 0


def test_volrend_tells_forward_facing_trees_by_their_poses(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "fern.npz", plenoctree())
    np.save(tmp_path / "fern_poses_bounds.npy", np.zeros((20, 17)))
    scene = load_teacher(path).scene
    assert scene.space.name == "ndc" and not scene.space.field_views and (scene.near, scene.far) == (0, 1)


PLENOCTREE_MISTAKES: list[Callable[[Content], Content]] = [
    lambda c: {"child": c["child"].transpose(0, 3, 2, 1), "data": c["data"].transpose(0, 3, 2, 1, 4)},
    lambda c: {"offset": c["offset"][::-1]},
    lambda c: {"data": np.concatenate([c["data"][..., -1:], c["data"][..., :-1]], -1)},
    lambda c: {"data": np.concatenate([_interleaved(c["data"][..., :-1]), c["data"][..., -1:]], -1)},
]


def _interleaved(coefficients: np.ndarray) -> np.ndarray:
    return coefficients.reshape(*coefficients.shape[:-1], 3, 9).swapaxes(-1, -2).reshape(coefficients.shape)


@pytest.mark.parametrize("mistake", PLENOCTREE_MISTAKES)
def test_every_misreading_of_plenoctrees_would_be_seen(tmp_path: Path, mistake: Callable[[Content], Content]) -> None:
    content = plenoctree()
    found, rays = loaded(write_npz(tmp_path / "tree.npz", content), *octree_rays(content)), octree_rays(content)
    assert agree(found, naive_plenoctree(content, *rays))
    assert not agree(found, naive_plenoctree({**content, **mistake(content)}, *rays))


def _child(**cells: int) -> np.ndarray:
    """``child`` of the random tree with other links: ``n3=-2`` sets the fourth cell of node 3."""
    child = plenoctree()["child"].copy()
    for name, value in cells.items():
        child[int(name[1])].reshape(-1)[int(name[1:]) % 10 if len(name) > 2 else 0] = value
    return child


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("child", _child(n30=-3), ("child is no tree",)),  # a cycle through the root
        ("child", _child(n10=7, n11=7), ("child is no tree",)),  # a node with three parents
        ("child", _child(n30=50), ("node 53 of 10",)),
        ("child", _child(n30=-4), ("child leads to node", "of 10")),
        ("child", _child(n30=-(1 << 31)), ("child leads to node",)),
        ("child", np.zeros((10, 2, 2, 3), np.int32), ("child", "(10, 2, 2, 3)")),
        ("child", np.zeros((10, 2, 2, 2)), ("child", "whole numbers")),
        ("data", None, ("unknown family",)),
        ("data", np.zeros((9, 2, 2, 2, 28), np.float16), ("data", "(9, 2, 2, 2, 28)")),
        ("data", np.full((10, 2, 2, 2, 28), np.nan, np.float16), ("data", "NaN")),
        ("data_dim", np.array(49), ("28 numbers", "49")),
        ("data_dim", np.array("SH"), ("data_dim",)),
        ("data_dim", np.array(10**12), ("data_dim", "1000000000000")),
        ("child", np.ones((10, 2, 2, 2), np.int32), ("child is no tree of 10 nodes",)),
        ("data_format", np.array("SH\n9"), ("data_format SH?9",)),
        ("data_format", np.array("X" * 300), ("data_format XXX",)),
        ("data_format", np.zeros(3), ("data_format", "a text")),
        ("offset", np.full(3, 3e38), ("a box", "positive size")),
        ("invradius3", np.full(3, 1e-40), ("bounds",)),
        ("data_format", np.array("SH16"), ("SH16", "9 coefficients")),
        ("data_format", np.array("ASG9"), ("ASG9",)),
        ("data_format", np.array("SH²"), ("data_format",)),
        ("data_format", np.array("SG9"), ("extra_data",)),
        ("offset", np.zeros(4), ("offset", "(4,)")),
        ("invradius3", np.array([1.0, 0, 1]), ("invradius", "positive")),
        ("invradius3", None, ("invradius", "missing")),
    ],
)
def test_broken_plenoctrees_are_refused_in_one_sentence(
    tmp_path: Path, member: str, value: Any, words: tuple[str, ...]
) -> None:
    content = plenoctree() | {member: value}
    if value is None:
        del content[member]
    refused(write_npz(tmp_path / "broken.npz", content), *words)


def test_a_chain_of_nodes_has_an_end(tmp_path: Path) -> None:
    content = plenoctree("RGBA") | {"child": np.zeros((40, 2, 2, 2), np.int32)}
    content["child"][:39, 0, 0, 0] = 1
    content["data"] = np.zeros((40, 2, 2, 2, 4), np.float16)
    refused(write_npz(tmp_path / "deep.npz", content), "at most 24 deep")


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("quant_map", np.full((9, 10, 2, 2, 2), 9, np.uint16), ("colour 9 of 9",)),
        ("quant_map", np.zeros((8, 10, 2, 2, 2), np.uint16), ("quant_map", "(8, 10, 2, 2, 2)")),
        ("sigma", np.zeros((10, 2, 2), np.float16), ("sigma", "(10, 2, 2)")),
        ("data_retained", np.zeros((1, 10, 2, 2, 2, 3), np.float16), ("31 numbers", "28")),
        ("quant_colors", np.full((9, 9, 3), np.nan, np.float16), ("quant_colors", "NaN")),
    ],
)
def test_broken_quantised_plenoctrees_are_refused(
    tmp_path: Path, member: str, value: Any, words: tuple[str, ...]
) -> None:
    content = quantised(plenoctree(), 0)
    content["quant_colors"] = content["quant_colors"][:, :9]
    content["quant_map"] = content["quant_map"] % 9
    refused(write_npz(tmp_path / "broken.npz", content | {member: value}), *words)


def test_more_functions_than_any_basis_has_are_refused(tmp_path: Path) -> None:
    content = plenoctree("RGBA") | {
        "data": np.zeros((10, 2, 2, 2, 601), np.float16),
        "data_format": np.array("RGBA200"),
    }
    refused(write_npz(tmp_path / "wide.npz", content | {"data_dim": np.array(601)}), "RGBA200", "at most 128 functions")


def test_a_tree_whose_name_is_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    path = write_npz(tmp_path / f"{'t' * 250}.npz", plenoctree())
    assert load_teacher(path).family == "PlenOctree"
