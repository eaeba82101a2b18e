"""The JSON that Blender's, nerfstudio's and instant-ngp's datasets share: frames with poses and intrinsics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, in_short
from duplex.app.core.tree import MAX_TEXT, Node, parse_json, shown
from duplex.baking.datasets.frames import MAX_FRAMES, DatasetFrame, checked_pose, homogeneous_scale
from duplex.baking.datasets.lens_entries import FOCAL_KEYS, has_focal, known_lens, lens_of, merged
from duplex.baking.datasets.picture_search import PictureSearch

MAX_JSON_BYTES = 64 << 20
MAX_REASON = 160  # characters


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
        if not has_focal(known_lens(content)) and not all(has_focal(known_lens(frame)) for frame in frames):
            raise ValueError("no camera_angle_x")
    except (ValueError, DuplexError) as error:
        reason = in_short(str(error).removeprefix(f"{file}: "), MAX_REASON)
        raise DuplexError(f"{file}: not the cameras of {kind} ({reason})") from None
    return content, frames


def frames_of(content: Node, frames: list[Node], file: Path) -> list[DatasetFrame]:
    """The ``frames`` of :func:`read_transforms`'s ``content``; their paths are relative to the file's folder."""
    shared = known_lens(content)
    search = PictureSearch(file.parent)
    found = [_frame(frame, shared, file, search) for frame in frames]
    if search.rivals and not any(frame.picture for frame in found):
        name, rivals = next(iter(search.rivals.items()))
        raise DuplexError(
            f"{file}: frame {shown(name)}: its picture may be {shown(rivals[0])} or {shown(rivals[1])}: expected one: "
            f"write the paths as they are in the folder of {file.name}, or move the others away"
        )
    return found


def picture_name(frame: Node) -> str:
    """The path of a frame's picture as written in the file."""
    return frame.text("file_path", default="", longest=MAX_TEXT)


def matrix_of(holder: Node, key: str) -> Array:
    """16 or 12 numbers, row by row, nested or flat, as (4, 4) or (3, 4) float64."""
    rows = holder.child(key).value
    count = 12 if isinstance(rows, list) and len(rows) in (3, 12) else 16
    return holder.numbers(key, count).reshape(-1, 4)


def _frame(frame: Node, shared: dict[str, Any], file: Path, search: PictureSearch) -> DatasetFrame:
    path = picture_name(frame)
    named = Node(frame.value, f"{file}: frame {shown(path)}")
    matrix = matrix_of(named, "transform_matrix")
    scale = homogeneous_scale(matrix)
    pose = checked_pose(matrix / scale, named.name)
    mask = named.text("mask_path", longest=MAX_TEXT) if "mask_path" in named else None
    lens = lens_of(merged(shared, known_lens(frame)), named.name)
    picture = search.find(path)
    if picture is None and search.is_outside(path):
        raise DuplexError(
            f"{named.name}: its picture is outside of {file.parent}: expected it inside: move {file.name} to the "
            "folder that holds both, and give that"
        )
    return DatasetFrame(named.name, pose, lens, picture, mask, scale)
