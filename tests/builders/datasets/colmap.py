"""A COLMAP reconstruction of a few small pictures, binary or as text."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from builders.datasets.folders import save

POINT = np.array([0.3, -0.2, 0.1])
PARAMETERS: dict[str, tuple[int, list[float]]] = {
    "SIMPLE_PINHOLE": (0, [7, 4, 3]),
    "PINHOLE": (1, [7, 6.5, 4.2, 2.9]),
    "SIMPLE_RADIAL": (2, [7, 4, 3, 0.1]),
    "RADIAL": (3, [7, 4, 3, 0.1, -0.02]),
    "OPENCV": (4, [7, 6.5, 4.2, 2.9, 0.1, -0.02, 0.01, -0.005]),
    "OPENCV_FISHEYE": (5, [7, 6.5, 4.2, 2.9, 0.1, -0.02, 0.01, -0.005]),
    "FULL_OPENCV": (6, [7, 6.5, 4.2, 2.9, 0.1, -0.02, 0.01, -0.005, 0.03, 0.2, 0.04, 0.01]),
    "SIMPLE_RADIAL_FISHEYE": (8, [7, 4, 3, 0.1]),
    "RADIAL_FISHEYE": (9, [7, 4, 3, 0.1, -0.02]),
}


def colmap_rows(count: int = 10) -> list[tuple[list[float], list[float], str]]:
    """Quaternions w x y z and translations, in an order that is not that of the names."""
    rows = []
    for i in (3, 0, 1, 2, *range(4, count)):
        x, y, z, w = Rotation.from_rotvec([0.1 * i - 0.3, 0.05 * i, 0.02 * i]).as_quat()
        rows.append(([w, x, y, z], [0.1 * i, -0.2, 3 + 0.1 * i], f"f {i}.png"))
    return rows


def write_colmap(folder: Path, binary: bool, model: str = "PINHOLE", sparse: str = "sparse/0") -> Path:
    number, parameters = PARAMETERS[model]
    place = folder / sparse
    place.mkdir(parents=True, exist_ok=True)
    if binary:
        camera = struct.pack(f"<iiQQ{len(parameters)}d", 7, number, 8, 6, *parameters)
        (place / "cameras.bin").write_bytes(struct.pack("<Q", 1) + camera)
        images = [
            struct.pack("<i7di", i, *q, *t, 7) + name.encode() + b"\0" + struct.pack("<Qddq", 1, 1.0, 2.0, -1)
            for i, (q, t, name) in enumerate(colmap_rows())
        ]
        (place / "images.bin").write_bytes(struct.pack("<Q", len(images)) + b"".join(images))
        point = struct.pack("<Q3d3BdQ2i", 1, *POINT, 0, 0, 0, 0.5, 1, 0, 0)
        (place / "points3D.bin").write_bytes(struct.pack("<Q", 1) + point)
    else:
        (place / "cameras.txt").write_text(f"# comment\n7 {model} 8 6 {' '.join(map(repr, parameters))}\n")
        lines = [
            f"{i} {' '.join(map(repr, map(float, [*q, *t])))} 7 {n}\n" for i, (q, t, n) in enumerate(colmap_rows())
        ]
        (place / "images.txt").write_text(
            "# comment\n" + "".join(f"{line}{i % 2 * '1 2 -1'}\n" for i, line in enumerate(lines))
        )
        (place / "points3D.txt").write_text(f"1 {' '.join(map(repr, POINT.tolist()))} 0 0 0 0.5 0 0\n")
    for i, (_, _, name) in enumerate(colmap_rows()):
        save(folder / "images" / name, value=i)
    return folder


def write_posed_colmap(folder: Path, cameras: Iterable[np.ndarray], sparse: str = "sparse/0") -> Path:
    """A reconstruction as text, without points, of these cameras and small pictures."""
    (folder / sparse).mkdir(parents=True)
    (folder / sparse / "cameras.txt").write_text("7 PINHOLE 8 6 7 7 4 3\n")
    lines = []
    for i, pose in enumerate(cameras):
        view = np.linalg.inv(pose @ np.diag([1.0, -1, -1, 1]))
        x, y, z, w = Rotation.from_matrix(view[:3, :3]).as_quat()
        lines.append(f"{i} {w} {x} {y} {z} {' '.join(map(str, view[:3, 3]))} 7 f_{i}.png\n\n")
        save(folder / "images" / f"f_{i}.png")
    (folder / sparse / "images.txt").write_text("".join(lines))
    return folder
