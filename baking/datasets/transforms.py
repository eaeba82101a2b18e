"""The JSON that Blender's, nerfstudio's and instant-ngp's datasets share: frames with poses and intrinsics."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER, shown
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.frames import MAX_FRAMES, DatasetFrame, checked_pose
from duplex.baking.datasets.lens import Lens
from duplex.baking.datasets.pictures import Size, find_picture

MAX_JSON_BYTES = 64 << 20
MAX_NAMED_SIDE = 1 << 17
PERSPECTIVE = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
FISHEYE = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
OTHER_LENSES = ("ftheta_p0", "latlong", "equirectangular", "orthographic")
FOCAL_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y")


def read_transforms(file: Path, kind: str) -> dict[str, Any]:
    """The object in ``file``, its ``frames`` a list of objects; ``kind`` is for errors, "a Blender dataset"."""
    if file.stat().st_size > MAX_JSON_BYTES:
        raise DuplexError(f"{file}: {file.stat().st_size} bytes: expected at most {MAX_JSON_BYTES}: split the dataset")
    try:
        content = json.loads(file.read_text("utf-8"))
        content["frames"] = [dict(frame) for frame in content["frames"]]
        if not 1 <= len(content["frames"]) <= MAX_FRAMES:
            raise ValueError(f"no frames, or more than {MAX_FRAMES}")
        for holder in (content, *content["frames"]):
            angles = [holder[key] for key in FOCAL_KEYS[2:] if holder.get(key) is not None]
            if not all(0 < float(angle) < math.pi for angle in angles):
                raise ValueError("an angle outside 0 to pi")
        for frame in content["frames"]:
            if all(holder.get(key) is None for holder in (frame, content) for key in ("fl_x", "camera_angle_x")):
                raise KeyError("camera_angle_x")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise DuplexError(f"{file}: not the cameras of {kind} ({type(error).__name__}: {shown(error)})") from None
    return dict(content)


def frames_of(content: dict[str, Any], file: Path) -> list[DatasetFrame]:
    """The frames of :func:`read_transforms`'s object, in its order; their paths are relative to the file's folder."""
    return [_frame(frame, content, file) for frame in content["frames"]]


def picture_name(frame: dict[str, Any]) -> str:
    """The path of a frame's picture as written in the file."""
    return str(frame.get("file_path", ""))


def matrix_of(rows: Any, name: str) -> Array:
    """16 or 12 numbers, row by row, nested or flat, as (4, 4) or (3, 4) float64."""
    nested = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    flat = [number for row in rows for number in row] if nested else rows
    if not isinstance(flat, list) or len(flat) not in (12, 16):
        raise DuplexError(f"{name} {_short(rows)}: expected 4 x 4 numbers, row by row: export it again")
    for number in flat:
        if not _is_finite(number):
            raise DuplexError(f"{name} holds {_short(number)}: expected finite numbers: export it again or remove it")
    return np.array(flat, np.float64).reshape(-1, 4)


def number_of(holder: dict[str, Any], key: str, name: str) -> float | None:
    """A finite number, or None without that key."""
    value = holder.get(key)
    if value is not None and not _is_finite(value):
        raise DuplexError(f"{name}: {key} {_short(value)}: expected a finite number: correct it")
    return None if value is None else float(value)


def _frame(frame: dict[str, Any], shared: dict[str, Any], file: Path) -> DatasetFrame:
    path = picture_name(frame)
    name = f"{file}: frame {shown(path)}"
    pose = checked_pose(matrix_of(frame.get("transform_matrix"), f"{name}: camera_to_world"), name)
    own_focal = any(frame.get(key) is not None for key in FOCAL_KEYS)
    inherited = {k: v for k, v in shared.items() if k != "frames" and not (own_focal and k in FOCAL_KEYS)}
    mask = frame.get("mask_path")
    lens = _lens({**inherited, **frame}, name)
    return DatasetFrame(name, pose, lens, find_picture(file.parent, path), None if mask is None else str(mask))


def _lens(holder: dict[str, Any], name: str) -> Lens:
    def number(key: str) -> float | None:
        return number_of(holder, key, name)

    return Lens(
        size=_size(holder, name),
        fx=number("fl_x"),
        fy=number("fl_y"),
        cx=number("cx"),
        cy=number("cy"),
        angle_x=number("camera_angle_x"),
        angle_y=number("camera_angle_y"),
        distortion=_distortion(holder, name),
    )


def _size(holder: dict[str, Any], name: str) -> Size | None:
    width, height = number_of(holder, "w", name), number_of(holder, "h", name)
    if width is None or height is None:
        return None
    if not (1 <= width <= MAX_NAMED_SIDE and 1 <= height <= MAX_NAMED_SIDE):
        raise DuplexError(f"{name}: w {width:g}, h {height:g}: expected the picture's size in pixels: correct it")
    return round(width), round(height)


def _distortion(holder: dict[str, Any], name: str) -> Distortion:
    """OpenCV's k1 k2 k3 p1 p2; k4 is the coefficient of r⁸ as in nerfstudio, of t⁸ for a fisheye."""
    model = str(holder.get("camera_model", "OPENCV_FISHEYE" if holder.get("is_fisheye") else "OPENCV"))
    other = next((key for key in OTHER_LENSES if holder.get(key)), None)
    if model not in PERSPECTIVE + FISHEYE or other:
        raise DuplexError(
            f"{name}: camera_model {shown(other or model)}: expected one of {', '.join(PERSPECTIVE + FISHEYE)}: "
            "undistort the pictures to one of them"
        )
    k1, k2, k3, k4, p1, p2 = (number_of(holder, key, name) or 0.0 for key in ("k1", "k2", "k3", "k4", "p1", "p2"))
    fisheye = model in FISHEYE
    return Distortion((k1, k2, k3, k4), (), (0.0, 0.0) if fisheye else (p1, p2), fisheye)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < MAX_NUMBER


def _short(value: Any) -> str:
    try:
        return shown(repr(value))
    except ValueError:  # an integer with more digits than Python prints
        return "a huge number"
