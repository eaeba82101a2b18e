"""Posed photos of NeRF-synthetic (Blender) datasets: ``transforms_<split>.json`` and the pictures it names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from duplex.app.camera import Array, Camera
from duplex.app.errors import DuplexError

MAX_JSON_BYTES = 64 << 20
MAX_FRAMES = 4000  # a bundle holds the presets beside them
MAX_PICTURE_SIDE = 8192
PICTURE_MODES = ("L", "LA", "P", "RGB", "RGBA")


@dataclass(frozen=True)
class Photo:
    """A posed picture: ``camera`` at the picture's size; ``path`` of the image file."""

    camera: Camera
    path: Path

    def pixels(self, size: int, background: tuple[float, float, float]) -> Array:
        """The picture on ``background``, its height box-filtered to ``size``: (size, w, 3) float32 in [0, 1]."""
        with _opened(self.path) as image:
            rgba = np.asarray(image.convert("RGBA"), np.float32) / 255
        premultiplied = np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], -1)
        width = max(round(rgba.shape[1] * size / rgba.shape[0]), 1)
        planes = [
            Image.fromarray(plane).resize((width, size), Image.Resampling.BOX)
            for plane in np.moveaxis(premultiplied, -1, 0)
        ]
        small = np.stack([np.asarray(plane) for plane in planes], -1)
        return np.asarray(small[..., :3] + (1 - small[..., 3:]) * np.array(background, np.float32))


def read_photos(folder: Path, split: str, principal_shift: float) -> list[Photo]:
    """The photos of ``split`` (train, val or test) that exist on disk.

    ``principal_shift``: as :class:`duplex.baking.teachers.SceneInfo` has it. Raises :class:`DuplexError` when the
    folder is no such dataset or none of its pictures is there.
    """
    photos = []
    for frame, fov in _frames(folder, split):
        path = _picture(folder, frame)
        if path is None:
            continue
        with _opened(path) as image:
            width, height = image.size
        photos.append(Photo(_camera(frame, fov, width, height, principal_shift), path))
    if not photos:
        raise DuplexError(
            f"{folder}: none of the pictures in transforms_{split}.json is there: expected PNG files beside it"
        )
    return photos


def read_cameras(folder: Path, split: str, principal_shift: float) -> list[Camera]:
    """The cameras of ``split``; pictures need not be there (800 x 800 is then assumed)."""
    cameras = []
    for frame, fov in _frames(folder, split):
        path, size = _picture(folder, frame), (800, 800)
        if path is not None:
            with _opened(path) as image:
                size = image.size
        cameras.append(_camera(frame, fov, *size, principal_shift))
    return cameras


def _frames(folder: Path, split: str) -> list[tuple[dict[str, Any], float]]:
    file = folder / f"transforms_{split}.json"
    if not file.is_file():
        raise DuplexError(
            f"{file}: no such file: expected the folder of a Blender dataset (transforms_train.json, ...)"
        )
    if file.stat().st_size > MAX_JSON_BYTES:
        raise DuplexError(f"{file}: {file.stat().st_size} bytes: expected at most {MAX_JSON_BYTES}")
    try:
        content = json.loads(file.read_text("utf-8"))
        fov = float(content["camera_angle_x"])
        frames = [(dict(frame), fov) for frame in content["frames"]]
        if not 1 <= len(frames) <= MAX_FRAMES or not 0 < fov < math.pi:
            raise ValueError(f"no frames, more than {MAX_FRAMES}, or an angle outside 0 to pi")
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise DuplexError(f"{file}: not the cameras of a Blender dataset ({type(error).__name__}: {error})") from None
    return frames


def _camera(frame: dict[str, Any], fov_x: float, width: int, height: int, shift: float) -> Camera:
    rows = frame.get("transform_matrix")
    nested = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    flat = [x for row in rows or [] for x in row] if nested else rows
    fov_y = 2 * math.atan(math.tan(fov_x / 2) * height / width)
    entry = {"camera_to_world": flat, "width": width, "height": height, "fov": math.degrees(fov_y)}
    camera = Camera.from_json(entry, f"frame {frame.get('file_path')}: transform_matrix")
    return replace(camera, cx=camera.cx + shift * height, cy=camera.cy + shift * height)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture in ``path``: an 8-bit PNG or JPEG of bounded size, or a :class:`DuplexError`."""
    try:
        with Image.open(path, formats=["PNG", "JPEG"]) as image:
            if max(image.size) > MAX_PICTURE_SIDE or image.mode not in PICTURE_MODES:
                raise DuplexError(
                    f"{path}: {image.mode} of {image.size[0]} x {image.size[1]}: expected 8-bit grey or colour "
                    f"of at most {MAX_PICTURE_SIDE} pixels a side"
                )
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise DuplexError(f"{path}: not a PNG or JPEG picture, or a damaged one") from None


def _picture(folder: Path, frame: dict[str, Any]) -> Path | None:
    """The frame's picture, if it lies inside ``folder`` and exists."""
    name = str(frame.get("file_path", ""))
    for suffix in ("", ".png"):
        if "\0" in name or len(name) > 1024:
            return None
        path = (folder / (name + suffix)).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file():
            return path
    return None
