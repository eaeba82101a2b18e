"""Camera paths between their keyframes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builders.paths import keyframe, path
from duplex.app.scene.camera_path import CameraPath


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("tension", [0.0, 0.5, 1.0])
def test_a_path_passes_its_keyframes_without_a_jump(loop: bool, tension: float) -> None:
    way = path(loop=loop, tension=tension)
    for key, second in zip(way.keyframes, way.seconds, strict=False):
        pose, fov = way.at(float(second))
        assert np.allclose(pose, key.camera_to_world, atol=1e-9) and fov == pytest.approx(key.fov)
    times = np.linspace(0, way.duration, 2000)
    poses = np.stack([way.at(float(t))[0] for t in times])
    assert np.allclose(poses[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1), np.eye(3), atol=1e-9)
    steps = np.abs(np.diff(poses, axis=0)).max((1, 2))
    assert steps.max() < 0.02  # radians and world units, in 1 / 2000 of the way
    if tension == 0:  # and its speed does not jump either, beyond what the ends of an open path do
        speeds = np.diff(poses[:, :3, 3], axis=0)
        assert np.abs(np.diff(speeds, axis=0)).max() < 0.1 * np.abs(speeds).max()
    if loop:
        assert np.allclose(poses[0], poses[-1], atol=1e-9)


def test_frames_are_counted_and_eased() -> None:
    way = path(3, fps=10.0)  # 2 seconds that the path gives, and 5 of the last keyframe itself
    assert way.duration == 7 and way.frames == 70
    cameras = list(way.cameras())
    assert len(cameras) == 70 and (cameras[0].width, cameras[0].height) == (1280, 720)
    assert np.allclose(cameras[0].camera_to_world, way.keyframes[0].camera_to_world)
    assert np.allclose(cameras[-1].camera_to_world, way.keyframes[-1].camera_to_world)
    loop = list(replace(way, loop=True).cameras())
    assert len(loop) == 100 and not np.allclose(loop[0].camera_to_world, loop[-1].camera_to_world)
    eased = list(replace(way, ease=True).cameras())
    first, plain = (np.linalg.norm(x[1].position - x[0].position) for x in (eased, cameras))
    assert first < 0.2 * plain
    assert CameraPath((keyframe(0),)).frames == 1 and len(list(CameraPath((keyframe(0),)).cameras())) == 1
