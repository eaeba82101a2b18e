"""What the commands make of a checkpoint and its dataset, before anything is baked."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builders import synthetic
from builders.datasets.colmap import write_colmap
from builders.datasets.folders import llff_rows, reference_llff, write_llff
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import look_at
from duplex.baking import subject
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.commands.scene_arguments import add_scene_arguments, scene_options
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.fields.field import Overrides, to_sphere
from duplex.baking.subject import SceneOptions, Subject, read_subject


def subject_of(checkpoint: Path, *flags: object) -> Subject:
    parser = argparse.ArgumentParser()
    add_scene_arguments(parser)
    given = parser.parse_args([str(flag) for flag in flags])
    return read_subject(checkpoint, given.data, given.device, SceneOptions(**scene_options(given)))


def test_a_dataset_of_which_only_one_split_is_there(tmp_path: Path) -> None:
    checkpoint, folder = synthetic.write_nerf_pytorch(tmp_path / "x.tar"), tmp_path / "data"
    (folder / "test").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "test" / "r_0.png")
    pose = look_at(np.array([0, -4.0, 1]), np.zeros(3), np.array([0, 0, 1.0])).tolist()
    for split in ("train", "test"):
        frames = [{"file_path": f"./{split}/r_0", "transform_matrix": pose}]
        (folder / f"transforms_{split}.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))
    found = subject_of(checkpoint, "--data", folder)
    assert not found.photos and len(found.cameras) == 1


def test_colmaps_up_is_turned_into_the_teachers_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, folder = synthetic.write_nerf_pytorch(tmp_path / "x.tar"), write_colmap(tmp_path / "data", True)
    up = read_dataset(folder).up
    turned = np.array([[1.0, 0, 0, 3], [0, 0, 1, 2], [0, -1, 0, 1], [0, 0, 0, 1]])
    turned[:3] *= 2
    assert np.allclose(subject_of(checkpoint, "--data", folder).rig.up, up)
    teacher = load_teacher(checkpoint)
    teacher = replace(teacher, scene=replace(teacher.scene, dataset_to_world=tuple(turned.reshape(-1).tolist())))
    monkeypatch.setattr(subject, "load_teacher", lambda *_: teacher)
    found = subject_of(checkpoint, "--data", folder)
    assert np.allclose(found.rig.up, [up[0], up[2], -up[1]]) and found.teacher.scene.up == tuple(found.rig.up)
    teacher = replace(teacher, scene=replace(teacher.scene, up=(1.0, 0.0, 0.0)))
    assert np.allclose(subject_of(checkpoint, "--data", folder, "--up", "+x").rig.up, [1, 0, 0])


def spherified_poses(poses: np.ndarray) -> tuple[np.ndarray, float]:
    """nerf-pytorch's spherify_poses, and its scale."""

    def normalize(x: np.ndarray) -> np.ndarray:
        return np.asarray(x / np.linalg.norm(x))

    rays_d, rays_o = poses[:, :3, 2:3], poses[:, :3, 3:4]
    a = np.eye(3) - rays_d * rays_d.transpose(0, 2, 1)
    center = np.squeeze(np.linalg.inv((a.transpose(0, 2, 1) @ a).mean(0)) @ (a @ rays_o).mean(0))
    vec0 = normalize((poses[:, :3, 3] - center).mean(0))
    vec1 = normalize(np.cross([0.1, 0.2, 0.3], vec0))
    vec2 = normalize(np.cross(vec0, vec1))
    c2w = np.eye(4)
    c2w[:3] = np.stack([vec1, vec2, vec0, center], 1)
    reset = np.linalg.inv(c2w) @ poses
    scale = 1 / np.sqrt(np.mean(np.sum(np.square(reset[:, :3, 3]), -1)))
    reset[:, :3, 3] *= scale
    return reset, float(scale)


def test_a_spherified_scene_has_the_originals_cameras(tmp_path: Path) -> None:
    around = []
    for i, angle in enumerate(np.linspace(0, 5.5, 12)):
        eye = np.array([0.5 + 3 * math.cos(angle), -0.5 + 0.2 * (i % 3), 7 + 3 * math.sin(angle)])
        around.append(look_at(eye, np.array([0.5, -2 + 0.1 * (i % 2), 7]), np.array([0, 1.0, 0])))
    rows = llff_rows(around)
    (tmp_path / "data").mkdir()
    folder = write_llff(tmp_path / "data", rows)
    checkpoint = synthetic.write_nerf_pytorch(tmp_path / "x.tar")
    (tmp_path / "args.txt").write_text("dataset_type = llff\nno_ndc = True\nspherify = True\n")
    found = subject_of(checkpoint, "--data", folder)
    wanted, scale = spherified_poses(reference_llff(rows))
    train = [i for i in range(12) if i % 8]
    assert np.allclose([c.camera_to_world for c in found.cameras], wanted[train], atol=1e-9)
    dataset, scene = read_dataset(folder), found.teacher.scene
    assert dataset.near and dataset.far
    assert (scene.near, scene.far) == pytest.approx((scale * dataset.near, scale * dataset.far))
    assert scene.up == (0, 0, 1) and scene.hemisphere and scene.space.name == "world"
    with pytest.raises(DuplexError, match="spherify: give its --near and --far"):
        load_teacher(checkpoint)
    with pytest.raises(DuplexError, match="stand in one place"):
        to_sphere(np.stack([look_at(np.zeros(3), gaze, np.array([0, 1.0, 0])) for gaze in np.eye(3)[[0, 2]]]))
    told = load_teacher(checkpoint, None, Overrides(depths=(0.2, 3.0))).scene  # as a bundle tells them
    assert (told.near, told.far, told.dataset_to_world) == (0.2, 3, None)
