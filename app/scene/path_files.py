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
from duplex.app.core.tree import Node, parse_json, shown
from duplex.app.scene.camera import MAX_SIDE, Camera
from duplex.app.scene.camera_path import FOV_RANGE, MAX_FRAMES, CameraPath, Keyframe
from duplex.app.scene.coordinates.ngp_frame import NgpFrame

MAX_FILE_BYTES = 1 << 26
MAX_VALUES = 1 << 22  # the poses of a file of that size
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
        data = Node(parse_json(file.read_bytes(), MAX_VALUES), file.name)
    except FileNotFoundError:
        raise DuplexError(f"{file}: no such file: expected a camera path (JSON)") from None
    except OSError as error:
        raise DuplexError(f"{file}: {error.strerror}: expected a camera path (JSON)") from None
    except ValueError:
        raise DuplexError(f"{file}: not JSON: expected a camera path of nerfstudio or instant-ngp") from None
    name = file.name
    found = data.keys()
    if "path" in found:
        path = _from_ngp(data).moved(np.linalg.inv(_ngp(to_dataset)))
    elif "keyframes" in found or "camera_path" in found:
        path = _from_nerfstudio(data).moved(np.linalg.inv(to_checkpoint))
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


def _from_nerfstudio(data: Node) -> CameraPath:
    kind = data.text("camera_type", default="perspective")
    if kind != "perspective":
        raise DuplexError(f"{data.name}: camera_type {shown(kind)}: only perspective cameras are drawn")
    fps = data.number("fps", 0.1, 1000, 30)
    path = CameraPath(
        loop=data.flag("is_cycle", False),
        transition=data.number("default_transition_sec", *SECONDS, 2),
        tension=min(max(data.number("smoothness_value", -10, 10, 0), 0.0), 1.0),
        ease=data.flag("ease", False),
        fps=fps,
        width=round(data.number("render_width", 1, MAX_SIDE, 1280)),
        height=round(data.number("render_height", 1, MAX_SIDE, 720)),
    )
    keys = data.elements("keyframes", MAX_KEYFRAMES)
    if keys:
        return replace(path, keyframes=tuple(_nerfstudio_key(key) for key in keys))
    frames = data.elements("camera_path", MAX_KEYFRAMES)
    if not frames:
        raise DuplexError(f"{data.name}: no keyframes: expected at least one")
    poses = [_frame(frame, "camera_to_world") for frame in frames]
    step = len(poses) / fps / max(len(poses) - 1, 1)  # so that rendered frames coincide with the frames of the file
    return replace(path, keyframes=tuple(poses), loop=False, ease=False, transition=max(step, MIN_SECONDS))


def _nerfstudio_key(key: Node) -> Keyframe:
    keyframe = _frame(key, "matrix")
    if not key.flag("override_transition_enabled", False):
        return keyframe
    return replace(keyframe, seconds=key.number("override_transition_sec", *SECONDS))


def _frame(frame: Node, matrix: str) -> Keyframe:
    """The pose in an object of nerfstudio whose member ``matrix`` holds 16 numbers."""
    numbers = frame.child(matrix).value
    if isinstance(numbers, str):  # nerfstudio before 1.0 writes JSON in a string, in column-major order
        try:
            columns = Node({matrix: parse_json(numbers.encode())}, frame.name).numbers(matrix, 16)
        except ValueError:
            raise frame.wrong(matrix, "16 numbers") from None
        numbers = columns.reshape(4, 4).T.reshape(-1).tolist()
    camera = Camera.from_json(
        Node({"camera_to_world": numbers, "fov": frame.number("fov", *FOV_RANGE, 50)}, frame.name)
    )
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


def _from_ngp(data: Node) -> CameraPath:
    entries = data.elements("path", MAX_KEYFRAMES)
    if not entries:
        raise DuplexError(f"{data.name}: no keyframes: expected at least one")
    keys = [_ngp_key(entry) for entry in entries]
    loop = data.flag("loop", False)
    count = len(keys) - (not loop)
    if count and (steps := _ngp_steps(entries[:count])):
        own = [None if abs(step - steps[0]) < 1e-6 else step for step in steps]
        timed = [replace(key, seconds=step) for key, step in zip([*keys[1:], keys[0]], own, strict=False)]
        timed = [timed[-1], *timed[:-1]] if loop else [keys[0], *timed]
        return CameraPath(tuple(timed), loop, steps[0])
    seconds = data.number("duration_seconds", 0, MAX_SECONDS, 0)
    return CameraPath(tuple(keys), loop, max(seconds / count, MIN_SECONDS) if seconds and count else 2.0)


def _ngp_key(key: Node) -> Keyframe:
    x, y, z, w = key.numbers("R", 4, limit=2)
    if x * x + y * y + z * z + w * w < 1e-6:
        raise key.wrong("R", "a quaternion")
    pose = np.eye(4)
    pose[:3, :3] = np.array(glm.mat3_cast(glm.normalize(glm.dquat(w, x, y, z))))
    pose[:3, 3] = key.numbers("T", 3)
    return Keyframe(pose @ NGP_CAMERA, math.radians(key.number("fov", *FOV_RANGE, 50)))


def _ngp_steps(keys: list[Node]) -> list[float]:
    """Seconds of the segments that begin at ``keys``; empty unless all have a timestamp, as in instant-ngp's loader."""
    try:
        steps = np.diff([0.0, *(key.number("timestamp", 0, MAX_TIMESTAMP) for key in keys)])
    except DuplexError:
        return []
    return steps.tolist() if ((steps >= MIN_SECONDS) & (steps <= MAX_SECONDS)).all() else []


def _numbers(matrix: Array) -> list[float]:
    return [float(x) for x in matrix.reshape(-1)]
