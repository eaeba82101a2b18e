"""Camera paths: the way between keyframes, and the files of other programs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import look_at
from duplex.app.scene.camera_path import CameraPath, Keyframe
from duplex.app.scene.path_files import read_path, write_path

EYE = np.eye(4)
KEY = {"matrix": EYE.reshape(-1).tolist(), "fov": 50}


def keyframe(angle: float, fov: float = 0.8, seconds: float | None = None) -> Keyframe:
    position = np.array([3 * math.cos(angle), 3 * math.sin(angle), 1.0])
    return Keyframe(look_at(position, np.zeros(3), np.array([0, 0, 1.0])), fov, seconds)


def path(count: int = 4, **settings) -> CameraPath:
    keys = tuple(keyframe(0.7 * i, 0.6 + 0.1 * i, None if i % 2 else 3.0 + i) for i in range(count))
    return replace(CameraPath(keys), **settings)


def similarity() -> Array:
    turned = look_at(np.array([0.3, -1.0, 2.0]), np.zeros(3), np.array([0, 1.0, 0]))
    turned[:3, :3] *= 2.5
    return turned


def same(first: CameraPath, second: CameraPath, tolerance: float = 1e-9) -> bool:
    return all(
        np.allclose(a.camera_to_world, b.camera_to_world, atol=tolerance) and abs(a.fov - b.fov) < tolerance
        for a, b in zip(first.keyframes, second.keyframes, strict=True)
    )


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


@pytest.mark.parametrize("ngp", [False, True])
def test_a_saved_path_is_read_without_loss(tmp_path: Path, ngp: bool) -> None:
    file, frames = tmp_path / "path.json", (similarity(), np.linalg.inv(similarity()))
    way = path(loop=True, transition=1.5, tension=0.25, ease=True, fps=24.0, width=640, height=400)
    if ngp:  # which has neither easing nor sizes
        way = path(loop=True, transition=1.5)
    write_path(way, file, *frames, ngp=ngp)
    found = read_path(file, *frames)
    assert same(found, way)
    assert replace(found, keyframes=()) == replace(way, keyframes=())
    assert [key.seconds for key in found.keyframes] == [key.seconds for key in way.keyframes]
    other = read_path(file, EYE, EYE)  # the file itself is in the other frame
    assert not same(other, way, 1e-3)


def test_instant_ngps_times_are_where_its_loader_has_them(tmp_path: Path) -> None:
    way, file = path(), tmp_path / "ngp.json"
    write_path(way, file, EYE, EYE, ngp=True)
    data = json.loads(file.read_text())
    ends = [key["timestamp"] for key in data["path"]]
    assert ends[0] > 0 and (np.diff(ends) > 0).all(), "a loader that takes those for none spaces keyframes evenly"
    assert ends[:3] == pytest.approx(way.seconds[1:]) and data["duration_seconds"] == way.duration
    assert read_path(file, EYE, EYE).seconds == pytest.approx(way.seconds)
    data["path"][1]["timestamp"] = 10**310  # and then none of them says anything
    file.write_text(json.dumps(data))
    assert read_path(file, EYE, EYE).seconds == pytest.approx(np.linspace(0, way.duration, 4))
    for key in data["path"]:
        del key["timestamp"]
    file.write_text(json.dumps(data))
    assert read_path(file, EYE, EYE).seconds == pytest.approx(np.linspace(0, way.duration, 4))


def test_the_file_has_what_nerfstudio_reads(tmp_path: Path) -> None:
    way = path(fps=10.0, width=300, height=200)
    write_path(way, tmp_path / "path.json", EYE, EYE)
    data = json.loads((tmp_path / "path.json").read_text())
    assert {"camera_type", "render_height", "render_width", "fps", "seconds", "is_cycle", "smoothness_value"} <= set(
        data
    )
    assert {"default_fov", "default_transition_sec", "keyframes", "camera_path"} <= set(data)
    assert data["seconds"] == way.duration and len(data["camera_path"]) == way.frames
    for frame, camera in zip(data["camera_path"], way.cameras(), strict=True):
        assert np.allclose(np.array(frame["camera_to_world"]).reshape(4, 4), camera.camera_to_world)
        assert frame["fov"] == pytest.approx(math.degrees(camera.fov_y)) and frame["aspect"] == 1.5
    assert set(data["keyframes"][0]) >= {"matrix", "fov", "aspect", "override_transition_enabled"}


def test_frames_alone_and_old_matrices_are_read(tmp_path: Path) -> None:
    way, file = path(fps=10.0), tmp_path / "path.json"
    write_path(way, file, EYE, EYE)
    data = json.loads(file.read_text())
    cameras = list(way.cameras())
    file.write_text(json.dumps({"fps": 10, "camera_path": data["camera_path"]}))
    found = list(read_path(file, EYE, EYE).cameras())
    assert len(found) == len(cameras)
    for a, b in zip(found, cameras, strict=True):
        assert np.allclose(a.camera_to_world, b.camera_to_world, atol=1e-6)
    for key in data["keyframes"]:
        key["matrix"] = json.dumps(np.array(key["matrix"]).reshape(4, 4).T.reshape(-1).tolist())
    file.write_text(json.dumps({"keyframes": data["keyframes"]}))
    assert same(read_path(file, EYE, EYE), way)


def test_instant_ngps_frame_is_that_of_its_loader(tmp_path: Path) -> None:
    # a camera at (1, 2, 3) lies at (2, 3, 1) * 0.33 + 0.5 of the cube, and one that looks along -z looks along -y there
    file = tmp_path / "ngp.json"
    write_path(
        CameraPath((Keyframe(shifted(1, 2, 3), 0.8),)),
        file,
        EYE,
        EYE,
        ngp=True,
    )
    key = json.loads(file.read_text())["path"][0]
    assert np.allclose(key["T"], np.array([2, 3, 1]) * 0.33 + 0.5)
    x, y, z, w = key["R"]
    forward = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])  # the third column
    assert np.allclose(forward, [0, -1, 0], atol=1e-9)
    assert key["fov"] == pytest.approx(math.degrees(0.8))


def shifted(x: float, y: float, z: float) -> Array:
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "no keyframes"),
        ("{", "not JSON"),
        ('{"keyframes": []}', "no keyframes"),
        ('{"keyframes": 7}', "expected a list"),
        ('{"keyframes": [{"matrix": [1, 2], "fov": 50}]}', "16 finite numbers"),
        ('{"keyframes": [{"matrix": "[[[[", "fov": 50}]}', "16 numbers"),
        ('{"camera_type": "fisheye", "keyframes": [1]}', "perspective"),
        ('{"fps": 1e9, "camera_path": [1]}', "fps"),
        ('{"path": [{"R": [0, 0, 0, 0], "T": [0, 0, 0]}]}', "quaternion"),
        ('{"path": [{"R": [0, 0, 0], "T": [0, 0, 0]}]}', "R: expected a list of 4"),
        ('{"path": [{"R": [0, 0, 0, 1], "T": [0, NaN, 0]}]}', "T nan"),
        ('{"path": []}', "no keyframes"),
        (json.dumps({"keyframes": [KEY] * 3, "default_transition_sec": 3600}), "216000 frames"),
        ('{"render_width": 1e400, "keyframes": [1]}', "render_width"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "path.json"
    file.write_text(text)
    with pytest.raises(DuplexError, match="path") as error:
        read_path(file, EYE, EYE)
    assert words in str(error.value) and "\n" not in str(error.value)
