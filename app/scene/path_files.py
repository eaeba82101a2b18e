"""Reader and writer for the camera path files of other programs.

nerfstudio's viewer writes ``camera_path.json``, in the coordinate frame of the checkpoint. instant-ngp's testbed
writes paths in its unit cube (:mod:`duplex.app.scene.coordinates.ngp_frame`).
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pyglm import glm

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.scene.camera import MAX_SIDE, Camera
from duplex.app.scene.camera_path import FOV_RANGE, MAX_FRAMES, CameraPath, Keyframe
from duplex.app.scene.coordinates.ngp_frame import NgpFrame

MAX_FILE_BYTES = 1 << 26
MAX_KEYFRAMES = 20_000
MIN_SECONDS, MAX_SECONDS = 1e-3, 3600.0  # between two keyframes
SECONDS = MIN_SECONDS, MAX_SECONDS
MAX_TIMESTAMP = MAX_SECONDS * MAX_KEYFRAMES  # seconds
NGP_CAMERA = np.diag([1.0, -1, -1, 1])  # cameras of instant-ngp look along +z, with y downwards


def read_path(file: Path, to_checkpoint: Array, to_dataset: Array) -> CameraPath:
    """Read a camera path of nerfstudio or instant-ngp.

    ``to_checkpoint``, ``to_dataset``: (4, 4), from the bundle's world to the frame of the checkpoint and of the
    dataset. Raises :class:`DuplexError` for a missing or invalid file.
    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise DuplexError(f"{file}: {file.stat().st_size} bytes: expected a camera path of at most 64 MiB")
        data = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise DuplexError(f"{file}: no such file: expected a camera path (JSON)") from None
    except OSError as error:
        raise DuplexError(f"{file}: {error.strerror}: expected a camera path (JSON)") from None
    except (ValueError, RecursionError):
        raise DuplexError(f"{file}: not JSON: expected a camera path of nerfstudio or instant-ngp") from None
    name = file.name
    if isinstance(data, dict) and isinstance(data.get("path"), list):
        path = _from_ngp(data, name).moved(np.linalg.inv(_ngp(to_dataset)))
    elif isinstance(data, dict) and ("keyframes" in data or "camera_path" in data):
        path = _from_nerfstudio(data, name).moved(np.linalg.inv(to_checkpoint))
    else:
        raise DuplexError(f"{name}: no keyframes, camera_path or path: expected a file of nerfstudio or instant-ngp")
    if path.frames > MAX_FRAMES:
        raise DuplexError(f"{name}: {path.frames} frames: expected at most {MAX_FRAMES}")
    return path


def write_path(path: CameraPath, file: Path, to_checkpoint: Array, to_dataset: Array, *, ngp: bool = False) -> None:
    """Write ``path`` in the format of nerfstudio or, with ``ngp``, of instant-ngp; atomically.

    The matrices are those of :func:`read_path`. Raises OSError.
    """
    data = _to_ngp(path.moved(_ngp(to_dataset))) if ngp else _to_nerfstudio(path.moved(to_checkpoint))
    write_atomically(file, json.dumps(data, indent=1).encode())


def _ngp(to_dataset: Array) -> Array:
    """From the bundle's world to instant-ngp's cube, (4, 4)."""
    return np.asarray(NgpFrame().matrix() @ to_dataset)


def _to_nerfstudio(path: CameraPath) -> dict[str, Any]:
    aspect = path.width / path.height
    return {
        "camera_type": "perspective",
        "render_width": path.width,
        "render_height": path.height,
        "fps": path.fps,
        "seconds": path.duration,
        "is_cycle": path.loop,
        "smoothness_value": path.tension,
        "ease": path.ease,
        "default_fov": math.degrees(path.keyframes[0].fov) if path.keyframes else 50.0,
        "default_transition_sec": path.transition,
        "keyframes": [
            {
                "matrix": _numbers(key.camera_to_world),
                "fov": math.degrees(key.fov),
                "aspect": aspect,
                "override_transition_enabled": key.seconds is not None,
                "override_transition_sec": key.seconds,
            }
            for key in path.keyframes
        ],
        "camera_path": [
            {"camera_to_world": _numbers(camera.camera_to_world), "fov": math.degrees(camera.fov_y), "aspect": aspect}
            for camera in (path.cameras() if path.keyframes else ())
        ],
    }


def _from_nerfstudio(data: dict[str, Any], name: str) -> CameraPath:
    if data.get("camera_type", "perspective") != "perspective":
        raise DuplexError(f"{name}: camera_type {str(data['camera_type'])[:40]!r}: only perspective cameras are drawn")
    fps = _number(data.get("fps", 30), f"{name}: fps", 0.1, 1000)
    path = CameraPath(
        loop=data.get("is_cycle") is True,
        transition=_number(data.get("default_transition_sec", 2), f"{name}: default_transition_sec", *SECONDS),
        tension=min(max(_number(data.get("smoothness_value", 0), f"{name}: smoothness_value", -10, 10), 0.0), 1.0),
        ease=data.get("ease") is True,
        fps=fps,
        width=round(_number(data.get("render_width", 1280), f"{name}: render_width", 1, MAX_SIDE)),
        height=round(_number(data.get("render_height", 720), f"{name}: render_height", 1, MAX_SIDE)),
    )
    keys = _list(data.get("keyframes") or [], f"{name}: keyframes", MAX_KEYFRAMES)
    if keys:
        return replace(
            path, keyframes=tuple(_nerfstudio_key(key, f"{name}: keyframes {i}") for i, key in enumerate(keys))
        )
    frames = _list(data.get("camera_path") or [], f"{name}: camera_path", MAX_KEYFRAMES)
    if not frames:
        raise DuplexError(f"{name}: no keyframes: expected at least one")
    poses = [_frame(frame, "camera_to_world", f"{name}: camera_path {i}") for i, frame in enumerate(frames)]
    step = len(poses) / fps / max(len(poses) - 1, 1)  # so that rendered frames coincide with the frames of the file
    return replace(path, keyframes=tuple(poses), loop=False, ease=False, transition=max(step, MIN_SECONDS))


def _nerfstudio_key(key: Any, name: str) -> Keyframe:
    keyframe = _frame(key, "matrix", name)
    if key.get("override_transition_enabled") is not True:
        return keyframe
    seconds = _number(key.get("override_transition_sec"), f"{name}: override_transition_sec", *SECONDS)
    return replace(keyframe, seconds=seconds)


def _frame(frame: Any, matrix: str, name: str) -> Keyframe:
    """The pose in an object of nerfstudio whose member ``matrix`` holds 16 numbers."""
    if not isinstance(frame, dict):
        raise DuplexError(f"{name}: expected an object with {matrix} and fov")
    numbers = frame.get(matrix)
    if isinstance(numbers, str):  # nerfstudio before 1.0 writes JSON in a string, in column-major order
        try:
            numbers = np.array(_list(json.loads(numbers), f"{name}: {matrix}", 16)).reshape(4, 4).T.reshape(-1).tolist()
        except (ValueError, RecursionError):
            raise DuplexError(f"{name}: {matrix}: expected 16 numbers") from None
    camera = Camera.from_json({"camera_to_world": numbers, "fov": frame.get("fov", 50)}, name)
    return Keyframe(camera.camera_to_world, camera.fov_y)


def _to_ngp(path: CameraPath) -> dict[str, Any]:
    # the timestamp of a keyframe is the time of the next one; instant-ngp ignores the last one of an open path
    ends = [*path.seconds[1:], *([] if path.loop else [path.duration + path.transition])]
    keys = []
    for key, end in zip(path.keyframes, ends, strict=True):
        pose = key.camera_to_world @ NGP_CAMERA
        rotation = glm.quat_cast(glm.dmat3(glm.dmat4(*pose.T.reshape(-1).tolist())))
        keys.append(
            {
                "R": [rotation.x, rotation.y, rotation.z, rotation.w],
                "T": [float(x) for x in pose[:3, 3]],
                "slice": 0.0,
                "scale": 1.0,
                "fov": math.degrees(key.fov),
                "aperture_size": 0.0,
                "timestamp": float(end),
            }
        )
    return {"loop": path.loop, "time": 0.0, "path": keys, "duration_seconds": path.duration, "spline_order": 3}


def _from_ngp(data: dict[str, Any], name: str) -> CameraPath:
    keys = _ngp_keys(data["path"], name)
    if not keys:
        raise DuplexError(f"{name}: no keyframes: expected at least one")
    loop = data.get("loop") is True
    count = len(keys) - (not loop)
    if count and (steps := _ngp_steps(data["path"], count)):
        own = [None if abs(step - steps[0]) < 1e-6 else step for step in steps]
        timed = [replace(key, seconds=step) for key, step in zip([*keys[1:], keys[0]], own, strict=False)]
        timed = [timed[-1], *timed[:-1]] if loop else [keys[0], *timed]
        return CameraPath(tuple(timed), loop, steps[0])
    seconds = _number(data.get("duration_seconds", 0), f"{name}: duration_seconds", 0, MAX_SECONDS)
    return CameraPath(tuple(keys), loop, max(seconds / count, MIN_SECONDS) if seconds and count else 2.0)


def _ngp_keys(path: Any, name: str) -> list[Keyframe]:
    keys = []
    for i, key in enumerate(_list(path, f"{name}: path", MAX_KEYFRAMES)):
        where = f"{name}: path {i}"
        if not isinstance(key, dict):
            raise DuplexError(f"{where}: expected an object with R, T and fov")
        x, y, z, w = (_number(v, f"{where}: R", -2, 2) for v in _list(key.get("R"), f"{where}: R", 4, 4))
        if x * x + y * y + z * z + w * w < 1e-6:
            raise DuplexError(f"{where}: R: expected a quaternion")
        pose = np.eye(4)
        pose[:3, :3] = np.array(glm.mat3_cast(glm.normalize(glm.dquat(w, x, y, z))))
        pose[:3, 3] = [_number(v, f"{where}: T", -1e9, 1e9) for v in _list(key.get("T"), f"{where}: T", 3, 3)]
        fov = math.radians(_number(key.get("fov", 50), f"{where}: fov", *FOV_RANGE))
        keys.append(Keyframe(pose @ NGP_CAMERA, fov))
    return keys


def _ngp_steps(path: list[dict[str, Any]], count: int) -> list[float]:
    """Seconds of the first ``count`` segments; empty unless all have a timestamp, as in instant-ngp's loader."""
    ends = [key.get("timestamp") for key in path[:count]]
    if not all(isinstance(end, int | float) and not isinstance(end, bool) and 0 < end <= MAX_TIMESTAMP for end in ends):
        return []
    steps = np.diff(np.array([0.0, *ends]))
    return steps.tolist() if ((steps >= MIN_SECONDS) & (steps <= MAX_SECONDS)).all() else []


def _numbers(matrix: Array) -> list[float]:
    return [float(x) for x in matrix.reshape(-1)]


def _number(value: Any, name: str, low: float, high: float) -> float:
    """``value`` if it is a number from ``low`` to ``high``; raises :class:`DuplexError`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise DuplexError(f"{name} {str(value)[:40]}: expected a number from {low:g} to {high:g}")
    return float(value)


def _list(value: Any, name: str, longest: int, shortest: int = 0) -> list[Any]:
    """``value`` if it is a list of ``shortest`` to ``longest`` elements; raises :class:`DuplexError`."""
    if not isinstance(value, list) or not shortest <= len(value) <= longest:
        expected = str(longest) if shortest == longest else f"at most {longest}"
        raise DuplexError(f"{name}: expected a list of {expected} of them")
    return value
