"""Camera paths in the files of other programs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders.paths import EYE, KEY, path, same, similarity
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera_path import CameraPath, Keyframe
from duplex.app.scene.path_files import read_path, write_path


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
        ('{"path": [{"R": [0, 0, 0], "T": [0, 0, 0]}]}', "R: a list of 3: expected 4 finite numbers"),
        ('{"path": [{"R": [0, 0, 0, 1], "T": [0, NaN, 0]}]}', "T: holds nan"),
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
