"""Cameras around a scene."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import SceneInfo
from duplex.baking.rig import Rig


def test_a_rig_stands_around_what_its_cameras_look_at() -> None:
    target, up = np.array([5.0, -2.0, 1.0]), np.array([0, 0, 1.0])
    cameras = [
        Camera.from_fov(look_at(target + 3 * np.array([math.cos(a), math.sin(a), 0.4]), target, up), 40, 30, 0.7)
        for a in np.linspace(0, 6, 9)
    ]
    rig = Rig.from_cameras(cameras, SceneInfo(), forward=False)
    assert np.allclose(rig.center, target, atol=1e-6) and rig.radius == pytest.approx(3 * math.hypot(1, 0.4))
    parallel = [replace(c, camera_to_world=np.vstack([c.camera_to_world[:3], [0, 0, 0, 1]])) for c in cameras[:3]]
    forward = Rig.from_cameras(parallel, SceneInfo(), forward=True)
    assert forward.surrounded and Rig.from_json(Node(forward.to_json(), "rig")).forward
    from_the_eye = Rig.from_cameras(parallel, replace(SceneInfo(), near=0), forward=True)
    assert from_the_eye.radius > 0 and all(np.isfinite(c.camera_to_world).all() for c in from_the_eye.evenly(4, 32))
    with pytest.raises(DuplexError):
        from duplex.app.scene.orbits import path_from_rig

        path_from_rig({**forward.to_json(), "radius": "?"})


def test_windows_are_parts_of_the_pictures_they_are_cut_from(octahedron: Path) -> None:
    rig = Rig.from_scene(load_teacher(octahedron).scene)
    whole = rig.cameras(12, 64, np.random.default_rng(3), 0.4)
    windows = rig.windows(12, 64, 20, np.random.default_rng(3), 0.4)
    places = []
    for picture, window in zip(whole, windows, strict=True):
        rays, part = picture.ray_directions(), window.ray_directions()
        x, y = round(picture.cx - window.cx), round(picture.cy - window.cy)
        assert part.shape == (20, 20, 3) and np.allclose(part, rays[y : y + 20, x : x + 20], atol=1e-6)
        places.append((x, y))
    assert len(set(places)) > 8 and min(min(p) for p in places) >= 0 and max(max(p) for p in places) <= 44


def test_below_the_horizon_of_a_hemisphere_the_teacher_knows_nothing(octahedron: Path) -> None:
    rig = replace(Rig.from_scene(load_teacher(octahedron).scene), hemisphere=True, up=np.array([0, 0, 1.0]))
    cameras = rig.cameras(300, 32, np.random.default_rng(0), near_share=1)
    heights = np.array([camera.position[2] - rig.center[2] for camera in cameras])
    assert (heights < 0).any() and (heights > 0).any()
    assert [rig.trained_from(camera) for camera in cameras] == (heights >= 0).tolist()
    poses = np.stack([camera.camera_to_world for camera in cameras])
    for other in (replace(rig, hemisphere=False), replace(rig, surrounded=True), replace(rig, poses=poses)):
        assert all(other.trained_from(camera) for camera in cameras)


def test_the_reach_of_cameras_is_their_lowest_and_highest_elevation() -> None:
    rig = Rig(np.array([1.0, 2, 3]), 2.0, np.array([0.0, 0, 1]), True)
    pose = np.eye(4)
    poses = []
    for place in ([2, 0, -2], [0, 2, 2], [2, 0, 0]):
        pose[:3, 3] = rig.center + place
        poses.append(pose.copy())
    cameras = [Camera.from_fov(pose, 8, 8, 0.7) for pose in poses]
    assert rig.reach(cameras)["elevations"] == pytest.approx([-np.pi / 4, np.pi / 4])
    assert rig.reach(cameras[1:])["elevations"] == pytest.approx([0, np.pi / 4])
    for free in (replace(rig, surrounded=True), replace(rig, forward=True)):
        assert free.reach(cameras) == {}
