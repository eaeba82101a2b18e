"""Configurations that name a type of dataset which duplex does not know: an assumption, no refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from builders import synthetic
from builders.mlp.flax import JAX, flax_network, write_flax
from builders.mlp.naive import random_state
from builders.mlp.nerf_pl import HPARAMS, pl_content, pl_states
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides, SceneInfo


def scene_of(file: Path, args: str, overrides: Overrides | None = None) -> SceneInfo:
    (file.parent / "args.txt").write_text(args)
    return load_teacher(synthetic.write_nerf_pytorch(file), overrides=overrides).scene


@pytest.mark.parametrize("kind", ["LINEMOD", "deepvoxels", "nerfpp", "x" * 500])
def test_an_unknown_type_is_an_assumption(tmp_path: Path, kind: str) -> None:
    scene = scene_of(
        tmp_path / "1.tar", f"dataset_type = {kind}\nN_samples = 32\nN_importance = 16\nwhite_bkgd = False\n"
    )
    assert (scene.near, scene.far, scene.space.name, scene.background) == (2, 6, "world", (0.0, 0.0, 0.0))
    assert (scene.coarse_samples, scene.fine_samples) == (32, 16)
    [sentence] = scene.assumed
    assert kind.lower()[:30] in sentence and "--near, --far" in sentence and len(sentence) < 200


def test_its_depths_come_from_the_arguments_the_cameras_or_the_user(tmp_path: Path) -> None:
    told = "dataset_type = nerfpp\nnear = 0.5\nfar = 9\n"
    scene = scene_of(tmp_path / "1.tar", told)
    assert (scene.near, scene.far) == (0.5, 9)
    scene = scene_of(tmp_path / "1.tar", told, Overrides(near=1.0, far=3.0, background=(1.0, 1.0, 1.0)))
    assert (scene.near, scene.far, scene.background) == (1, 3, (1.0, 1.0, 1.0))
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = 5
    scene = scene_of(tmp_path / "1.tar", "dataset_type = deepvoxels\n", Overrides(poses=poses))
    assert (scene.near, scene.far) == (4, 6)  # the hemisphere's radius, less and plus 1


@pytest.mark.parametrize("kind", ["blender", "Blender", "LLFF", "llff"])
def test_known_types_are_none(tmp_path: Path, kind: str) -> None:
    scene = scene_of(tmp_path / "1.tar", f"dataset_type = {kind}\n")
    assert not any("no type" in sentence for sentence in scene.assumed)
    assert scene.space.name == ("ndc" if kind.lower() == "llff" else "world")


def test_types_of_other_code_bases(tmp_path: Path) -> None:
    folder = synthetic.write_flexible(tmp_path / "flexible")
    config = folder / "config.yml"
    config.write_text(config.read_text().replace("blender", "linemod"))
    hparams = HPARAMS | {"dataset_name": "phototourism"}
    torch.save(pl_content(*pl_states(), hparams, "hparams"), tmp_path / "pl.ckpt")
    flax = tmp_path / "flax"
    flax.mkdir()
    write_flax(flax / "checkpoint_1", {"MLP_0": flax_network(random_state(JAX))})
    (flax / "config.yaml").write_text("dataset: dtu\nnear: 1.\nfar: 5.\n")
    for file, kind, near in ((folder, "linemod", 2), (tmp_path / "pl.ckpt", "phototourism", 2), (flax, "dtu", 1)):
        scene = load_teacher(file).scene
        assert scene.near == near and any(f"no type {kind}" in sentence for sentence in scene.assumed)
