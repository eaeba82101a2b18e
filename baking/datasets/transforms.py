"""The JSON that Blender's, nerfstudio's and instant-ngp's datasets share: frames with poses and intrinsics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, in_short
from duplex.app.core.tree import MAX_NUMBER, MAX_TEXT, Node, parse_json, shown
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.frames import MAX_FRAMES, DatasetFrame, checked_pose
from duplex.baking.datasets.lens import Lens
from duplex.baking.datasets.picture_search import PictureSearch
from duplex.baking.datasets.pictures import Size

MAX_JSON_BYTES = 64 << 20
MAX_NAMED_SIDE = 1 << 17
MAX_REASON = 160  # characters
PERSPECTIVE = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
FISHEYE = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
OTHER_LENSES = ("ftheta_p0", "latlong", "equirectangular", "orthographic")
FOCAL_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y")
DEGREES = {"x_fov": "camera_angle_x", "y_fov": "camera_angle_y"}  # as instant-ngp writes them
MATRICES = ("K", "intrinsics", "intrinsic_matrix", "camera_intrinsics")  # of intrinsics, in pixels
COEFFICIENTS = ("k1", "k2", "k3", "k4", "p1", "p2")
LENS_KEYS = (*FOCAL_KEYS, *COEFFICIENTS, *OTHER_LENSES, "w", "h", "cx", "cy", "camera_model", "is_fisheye")


def read_transforms(file: Path, kind: str) -> tuple[Node, list[Node]]:
    """The object in ``file`` and its frames; ``kind`` is for errors, "a Blender dataset"."""
    if file.stat().st_size > MAX_JSON_BYTES:
        raise DuplexError(f"{file}: {file.stat().st_size} bytes: expected at most {MAX_JSON_BYTES}: split the dataset")
    try:
        content = Node(parse_json(file.read_bytes()), str(file))
        frames = content.elements("frames", MAX_FRAMES, 1)
        for holder in (content, *frames):
            if any(key in holder and not 0 < holder.number(key, 0, math.pi) < math.pi for key in FOCAL_KEYS[2:]):
                raise ValueError("an angle outside 0 to pi")
        if not _has_focal(content) and not all(_has_focal(frame) for frame in frames):
            raise ValueError("no camera_angle_x")
    except (ValueError, DuplexError) as error:
        reason = in_short(str(error).removeprefix(f"{file}: "), MAX_REASON)
        raise DuplexError(f"{file}: not the cameras of {kind} ({reason})") from None
    return content, frames


def frames_of(content: Node, frames: list[Node], file: Path) -> list[DatasetFrame]:
    """The ``frames`` of :func:`read_transforms`'s ``content``; their paths are relative to the file's folder."""
    shared = _known(content)
    search = PictureSearch(file.parent)
    return [_frame(frame, shared, file, search) for frame in frames]


def picture_name(frame: Node) -> str:
    """The path of a frame's picture as written in the file."""
    return frame.text("file_path", default="", longest=MAX_TEXT)


def matrix_of(holder: Node, key: str) -> Array:
    """16 or 12 numbers, row by row, nested or flat, as (4, 4) or (3, 4) float64."""
    rows = holder.child(key).value
    count = 12 if isinstance(rows, list) and len(rows) in (3, 12) else 16
    return holder.numbers(key, count).reshape(-1, 4)


def number_of(holder: Node, key: str) -> float | None:
    """A finite number, or None without that key."""
    return holder.number(key, -MAX_NUMBER, MAX_NUMBER) if key in holder else None


def _known(holder: Node) -> dict[str, Any]:
    """Those members that describe a lens, under nerfstudio's names: a file may have many others."""
    members = holder.as_members()
    known = {key: members[key] for key in LENS_KEYS if key in members}
    for name, key in DEGREES.items():
        if name in holder and key not in known:
            known[key] = math.radians(holder.number(name, 1e-3, 179.999))
    matrix = next((key for key in MATRICES if key in holder), None)
    if matrix is not None and not any(key in known for key in FOCAL_KEYS):
        fx, fy, cx, cy = _pinhole_of(holder, matrix)
        known = {"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy, **known}
    return known


def _has_focal(holder: Node) -> bool:
    known = _known(holder)
    return any(key in known for key in FOCAL_KEYS)


def _pinhole_of(holder: Node, key: str) -> tuple[float, float, float, float]:
    """Focal lengths and principal point in a matrix of intrinsics, 3 x 3, 3 x 4 or 4 x 4, nested or flat."""
    rows: Any = holder.child(key).value
    count = len(rows) if isinstance(rows, list) else 0
    width = len(rows[0]) if count in (3, 4) and isinstance(rows[0], list) else {9: 3, 12: 4, 16: 4}.get(count, 3)
    height = count if count in (3, 4) else count // width
    k = holder.numbers(key, max(width * height, 9)).reshape(-1, width)
    return float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])


def _frame(frame: Node, shared: dict[str, Any], file: Path, search: PictureSearch) -> DatasetFrame:
    path = picture_name(frame)
    named = Node(frame.value, f"{file}: frame {shown(path)}")
    pose = checked_pose(matrix_of(named, "transform_matrix"), named.name)
    own = _known(frame)
    own_focal = any(key in own for key in FOCAL_KEYS)
    inherited = {k: v for k, v in shared.items() if not (own_focal and k in FOCAL_KEYS)}
    mask = named.text("mask_path", longest=MAX_TEXT) if "mask_path" in named else None
    lens = _lens(Node({**inherited, **own}, named.name))
    picture = search.find(path)
    if picture is None and search.is_outside(path):
        raise DuplexError(
            f"{named.name}: its picture is outside of {file.parent}: expected it inside: move {file.name} to the "
            "folder that holds both, and give that"
        )
    return DatasetFrame(named.name, pose, lens, picture, mask)


def _lens(holder: Node) -> Lens:
    return Lens(
        size=_size(holder),
        fx=number_of(holder, "fl_x"),
        fy=number_of(holder, "fl_y"),
        cx=number_of(holder, "cx"),
        cy=number_of(holder, "cy"),
        angle_x=number_of(holder, "camera_angle_x"),
        angle_y=number_of(holder, "camera_angle_y"),
        distortion=_distortion(holder),
    )


def _size(holder: Node) -> Size | None:
    width, height = number_of(holder, "w"), number_of(holder, "h")
    if width is None or height is None:
        return None
    if not (1 <= width <= MAX_NAMED_SIDE and 1 <= height <= MAX_NAMED_SIDE):
        raise DuplexError(
            f"{holder.name}: w {width:g}, h {height:g}: expected the picture's size in pixels: correct it"
        )
    return round(width), round(height)


def _distortion(holder: Node) -> Distortion:
    """OpenCV's k1 k2 k3 p1 p2; k4 is the coefficient of r⁸ as in nerfstudio, of t⁸ for a fisheye."""
    members = holder.as_members()
    model = holder.text("camera_model", default="OPENCV_FISHEYE" if members.get("is_fisheye") else "OPENCV")
    other = next((key for key in OTHER_LENSES if members.get(key)), None)
    if model not in PERSPECTIVE + FISHEYE or other:
        raise DuplexError(
            f"{holder.name}: camera_model {shown(other or model)}: expected one of {', '.join(PERSPECTIVE + FISHEYE)}: "
            "undistort the pictures to one of them"
        )
    k1, k2, k3, k4, p1, p2 = (number_of(holder, key) or 0.0 for key in COEFFICIENTS)
    fisheye = model in FISHEYE
    return Distortion((k1, k2, k3, k4), (), (0.0, 0.0) if fisheye else (p1, p2), fisheye)
