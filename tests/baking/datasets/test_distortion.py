"""Photos undistorted, against the formulas of the lenses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from builders.datasets.checks import WHITE
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.reading import read_photos


def opencv(x: np.ndarray, y: np.ndarray, k: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's formula, k in its order: k1 k2 p1 p2 k3 k4 k5 k6."""
    k1, k2, p1, p2, k3, k4, k5, k6 = [*k, *[0.0] * (8 - len(k))]
    r2 = x**2 + y**2
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
        y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
    )


def fisheye(x: np.ndarray, y: np.ndarray, k: list[float]) -> tuple[np.ndarray, np.ndarray]:
    r = np.sqrt(x**2 + y**2) + 1e-12
    t = np.arctan(r)
    scale = t * (1 + k[0] * t**2 + k[1] * t**4 + k[2] * t**6 + k[3] * t**8) / r
    return x * scale, y * scale


def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack(
        [0.5 + 0.4 * np.sin(9 * x + 2 * y), 0.5 + 0.4 * np.cos(8 * y - x), 0.5 + 0.3 * np.sin(5 * x * y)], -1
    )


@pytest.mark.parametrize(
    ("formula", "k"),
    [
        (opencv, [-0.2, 0.05, 0.01, -0.006]),
        (opencv, [0.3, 0.03, -0.008, 0.01, 0.02, -0.15, 0.03, 0.01]),
        (fisheye, [0.05, -0.02, 0.01, -0.003]),
    ],
)
def test_undistorted_pictures_are_those_of_a_pinhole(tmp_path: Path, formula: Any, k: list[float]) -> None:
    """A picture made through the formula, point by point, comes back as the pinhole camera would have taken it."""
    width, height, fx, fy, cx, cy = 160, 120, 130.0, 120.0, 83.0, 57.0
    v, u = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    wanted_x, wanted_y = (u - cx) / fx, (v - cy) / fy
    x, y = wanted_x.copy(), wanted_y.copy()
    for _ in range(200):  # the formula's inverse
        bent_x, bent_y = formula(x, y, k)
        x, y = x + 0.7 * (wanted_x - bent_x), y + 0.7 * (wanted_y - bent_y)
    assert np.abs(np.stack(formula(x, y, k)) - [wanted_x, wanted_y]).max() < 1e-9
    Image.fromarray(np.round(scene(x, y) * 255).astype(np.uint8)).save(tmp_path / "f 0.png")
    n = {4: "OPENCV", 8: "FULL_OPENCV"}[len(k)] if formula is opencv else "OPENCV_FISHEYE"
    folder = tmp_path / "set"
    (folder / "sparse").mkdir(parents=True)
    (folder / "sparse/cameras.txt").write_text(f"1 {n} {width} {height} {fx} {fy} {cx} {cy} {' '.join(map(repr, k))}\n")
    (folder / "sparse/images.txt").write_text("1 1 0 0 0 0 0 0 1 f 0.png\n\n")
    (folder / "images").mkdir()
    (tmp_path / "f 0.png").rename(folder / "images/f 0.png")
    pinhole = scene(wanted_x, wanted_y)
    for shift in (0.0, 0.05):
        photo = read_photos(folder, "test", shift)[0]
        assert photo.camera.cx == pytest.approx(cx + shift * height)
        rgba, valid = photo.rgba(None)
        assert valid.mean() > 0.6
        bent_x, bent_y = formula(wanted_x, wanted_y, k)
        source_u, source_v = fx * bent_x + cx, fy * bent_y + cy
        inside = (source_u > 0) & (source_u < width) & (source_v > 0) & (source_v < height)
        assert np.array_equal(valid, inside)
        inner = (abs(source_u - width / 2) < width / 2 - 0.5) & (abs(source_v - height / 2) < height / 2 - 0.5)
        assert np.abs(rgba[..., :3] - pinhole)[inner].max() < 0.005 and inner.mean() > 0.6
        assert np.array_equal(np.isnan(photo.pixels(None, WHITE)).any(-1), ~valid)
    small, small_valid = photo.rgba(60)
    blocks = pinhole.reshape(60, 2, 80, 2, 3).mean((1, 3))
    assert np.abs(small[..., :3] - blocks)[small_valid].max() < 0.015
    assert np.array_equal(small_valid, valid.reshape(60, 2, 80, 2).all((1, 3)))
    flat = np.asarray(Image.open(folder / "images/f 0.png"), np.float32) / 255
    assert np.abs(flat - pinhole)[valid].max() > 0.1, "the lens hardly bends"


def test_a_lens_that_folds_its_picture_shows_it_once() -> None:
    """Beyond its turning point a barrel polynomial comes back into the picture, where nothing was seen."""
    camera = Camera(np.eye(4), 400, 400, 100.0, 100.0, 200.0, 200.0)
    _, inside = Distortion((-0.2,)).undistort(np.ones((400, 400, 1), np.float32), camera)
    radius = np.hypot(*np.meshgrid(np.arange(400) - 199.5, np.arange(400) - 199.5)) / 100
    turning = math.sqrt(1 / 0.6)
    assert not inside[radius > turning].any() and inside[radius < turning - 0.01].all()
