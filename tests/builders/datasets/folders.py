"""Datasets of a few small pictures, as Blender, nerfstudio and LLFF's tools write them."""

from __future__ import annotations

import itertools
import json
import math
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from duplex.app.scene.camera import look_at


def write(folder: Path, matrix: object = None, name: str = "./r_0", picture: np.ndarray | None = None) -> Path:
    pose = np.eye(4).tolist() if matrix is None else matrix
    content = {"camera_angle_x": 0.7, "frames": [{"file_path": name, "transform_matrix": pose}]}
    (folder / "transforms_test.json").write_text(json.dumps(content))
    Image.fromarray(np.zeros((8, 8, 4), np.uint8) if picture is None else picture).save(folder / "r_0.png")
    return folder


def save(path: Path, width: int = 8, height: int = 6, value: int = 0, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (value, value, value)).save(path, **options)
    return path


def at(*numbers: float) -> np.ndarray:
    return np.array(numbers)


def poses(count: int = 10) -> list[np.ndarray]:
    """Cameras on an arc, 2 and more away from the origin."""
    angles = np.linspace(-0.4, 0.5, count)
    return [look_at(at(3 * math.sin(a), 0.3 + a, 2 + math.cos(a)), at(0.1, 0, 0), at(0.1, 1, 0)) for a in angles]


def ring(count: int = 12, elevation: float = 25, rolls: Iterable[float] = (0,)) -> np.ndarray:
    """Cameras around the origin, +z up, at this elevation and held at these rolls in turn, both in degrees."""
    e = math.radians(elevation)
    eyes = [
        4 * at(math.cos(a) * math.cos(e), math.sin(a) * math.cos(e), math.sin(e))
        for a in np.arange(count) * 2 * math.pi / count
    ]
    return rolled(np.stack([look_at(eye, at(0, 0, 0), at(0, 0, 1)) for eye in eyes]), rolls)


def rolled(cameras: np.ndarray, rolls: Iterable[float]) -> np.ndarray:
    """The cameras turned about their view axes by these degrees in turn."""
    angles = [angle for angle, _ in zip(itertools.cycle(rolls), cameras, strict=False)]
    turns = np.tile(np.eye(4), (len(cameras), 1, 1))
    turns[:, :3, :3] = Rotation.from_rotvec(np.outer(angles, [0, 0, 1]), degrees=True).as_matrix()
    return np.asarray(cameras @ turns)


def turned(cameras: np.ndarray, *angles: float) -> tuple[np.ndarray, np.ndarray]:
    """The cameras in a world turned by a rotation vector in degrees, and what was +z there."""
    world = np.eye(4)
    world[:3, :3] = Rotation.from_rotvec(angles, degrees=True).as_matrix()
    return np.asarray(world @ cameras), world[:3, 2]


def write_cameras(folder: Path, cameras: Iterable[np.ndarray], name: str = "transforms.json", **shared: Any) -> Path:
    """A dataset of JSON with these cameras, of small white pictures ``images/f_0.png`` and so on."""
    frames = []
    for i, pose in enumerate(cameras):
        frames.append({"file_path": f"images/f_{i}.png", "transform_matrix": pose.tolist()})
        save(folder / f"images/f_{i}.png", value=255)
    (folder / name).write_text(json.dumps({"fl_x": 7.0, "w": 8, "h": 6} | shared | {"frames": frames}))
    return folder


def write_nerfstudio(folder: Path, pictures: bool = True, count: int = 10, **shared: Any) -> Path:
    frames = [{"file_path": f"images/f_{i}.png", "transform_matrix": p.tolist()} for i, p in enumerate(poses(count))]
    content = {"fl_x": 7.0, "fl_y": 6.5, "cx": 4.2, "cy": 2.9, "w": 8, "h": 6} | {"frames": frames[::-1]} | shared
    text = json.dumps({key: value for key, value in content.items() if value is not None})
    (folder / "transforms.json").write_text(text)
    for i in range(count if pictures else 0):
        save(folder / f"images/f_{i}.png", value=i)
    return folder


def llff_rows(cameras: Iterable[np.ndarray], width: float = 8, height: float = 6) -> np.ndarray:
    rows = []
    for i, pose in enumerate(cameras):
        matrix = np.stack([-pose[:3, 1], pose[:3, 0], pose[:3, 2], pose[:3, 3], [height, width, 7.0]], -1)
        rows.append([*matrix.reshape(-1), 1.5 + i, 20.0])
    return np.array(rows)


def write_llff(folder: Path, rows: np.ndarray | None = None, names: str = "image{:03d}.png") -> Path:
    rows = llff_rows(poses()) if rows is None else rows
    np.save(folder / "poses_bounds.npy", rows)
    for i in range(len(rows)):
        save(folder / "images_2" / names.format(i), 8, 6, i)
    return folder


def png16(samples: np.ndarray, colour_type: int) -> bytes:
    """A 16-bit PNG, which Pillow cannot write in colour: (h, w, channels) uint16."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour_type, 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def reference_llff(rows: np.ndarray) -> np.ndarray:
    """nerf-pytorch's load_llff_data, down to its names."""

    def normalize(x: np.ndarray) -> np.ndarray:
        return np.asarray(x / np.linalg.norm(x))

    matrices = rows[:, :15].reshape(-1, 3, 5)
    c2w = np.concatenate([matrices[:, :, 1:2], -matrices[:, :, 0:1], matrices[:, :, 2:4]], 2)
    c2w[:, :, 3] *= 1 / (rows[:, 15:].min() * 0.75)
    vec2, up = normalize(c2w[:, :, 2].sum(0)), c2w[:, :, 1].sum(0)
    vec0 = normalize(np.cross(up, vec2))
    mean = np.stack([vec0, normalize(np.cross(vec2, vec0)), vec2, c2w[:, :, 3].mean(0)], 1)
    bottom = np.array([[0, 0, 0, 1.0]])
    return np.stack([np.linalg.inv(np.concatenate([mean, bottom])) @ np.concatenate([pose, bottom]) for pose in c2w])
