"""What the tests of voxel checkpoints share: rays, comparisons, damage."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.field import Overrides

Content = dict[str, Any]
Values = tuple[np.ndarray, np.ndarray]  # sigma (n,) and rgb (n, 3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_rays(low: Any, high: Any, count: int = 150) -> Values:
    """Points (n, 3) in and around a box, and unit directions (n, 3)."""
    middle, half = (np.array(low) + high) / 2, (np.array(high) - low) / 2
    points = middle + 1.15 * half * rng(1).uniform(-1, 1, (count, 3))
    directions = rng(2).normal(size=(count, 3))
    return points.astype(np.float32), (directions / np.linalg.norm(directions, axis=-1, keepdims=True)).astype("f4")


def loaded(path: Path, points: np.ndarray, directions: np.ndarray, **overrides: Any) -> Values:
    """Density and colour as the field of the file at ``path`` gives them."""
    field = load_teacher(path, overrides=Overrides(**overrides)).fine
    with torch.no_grad():
        sigma, latent = field.density(torch.from_numpy(points))
        rgb = field.color(latent, torch.from_numpy(directions))
    assert sigma.shape == (len(points),) and rgb.shape == (len(points), 3)
    assert sigma.dtype == rgb.dtype == torch.float32
    return sigma.numpy(), rgb.numpy()


def agree(a: Values, b: Values) -> bool:
    """Whether densities agree everywhere and colours wherever there is matter."""
    seen = b[0] > 0
    assert 0.1 < seen.mean() < 0.95, "points on both sides of the surface are needed"
    return np.allclose(a[0], b[0], rtol=2e-4, atol=2e-4) and np.allclose(a[1][seen], b[1][seen], atol=2e-4)


def trilinear(grid: np.ndarray, place: np.ndarray) -> np.ndarray:
    """``grid`` (X, Y, Z, ...) at one ``place`` (3,) in cells from its first value."""
    low = np.clip(np.floor(place).astype(int), 0, np.maximum(np.array(grid.shape[:3]) - 2, 0))
    total = np.zeros(grid.shape[3:])
    for corner in itertools.product((0, 1), repeat=3):
        weight = math.prod(f if c else 1 - f for f, c in zip(place - low, corner, strict=True))
        if weight:
            total = total + weight * grid[tuple(low + corner)]
    return total


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def refused(path: Path, *words: str, **overrides: Any) -> None:
    with pytest.raises(DuplexError) as error:
        load_teacher(path, overrides=Overrides(**overrides))
    text = str(error.value)
    assert "\n" not in text and str(path.parent) in text and all(word in text for word in words), text


def harmonics(direction: np.ndarray, count: int) -> np.ndarray:
    """The first nine harmonics of one direction, from svox's constants."""
    x, y, z = direction
    values = [0.28209479177387814, -0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x]
    values += [
        1.0925484305920792 * x * y,
        -1.0925484305920792 * y * z,
        0.31539156525252005 * (2 * z * z - x * x - y * y),
    ]
    values += [-1.0925484305920792 * x * z, 0.5462742152960396 * (x * x - y * y)]
    return np.array(values[:count])


def damaged(value: Any) -> list[Any]:
    """``value`` spoiled in the ways in which a file can be: a part, another shape, another type, no numbers, NaN."""
    array = np.asarray(value)
    spoiled = [
        array[None],
        array.reshape(-1)[:1].copy(),
        np.zeros(0),
        np.zeros((2, 0)),
        np.array("x"),
        np.array("x\n" * 99),
    ]
    if array.dtype.kind != "U":
        spoiled += [np.full(array.shape, fill) for fill in (np.nan, np.inf, 1e-40, 1 << 40, 1 << 20, -3, 0)]
        spoiled += [array.astype(kind) for kind in ("?", "f8", ">f4", ">i4", "u8", "c8")]
    return [*spoiled, np.moveaxis(array, 0, -1).copy() if array.ndim else array]


def answers_or_refuses(path: Path, rays: Values) -> None:
    """The field of the file at ``path`` gives values, or there is one sentence why not."""
    try:
        field = load_teacher(path).coarse
    except DuplexError as error:
        text = str(error).replace(str(path.parent), "")
        assert "\n" not in text and len(text) <= 300, text
        return
    sigma, latent = field.density(torch.from_numpy(rays[0]))
    rgb = field.color(latent, torch.from_numpy(rays[1]))
    assert not sigma.isnan().any() and not rgb.isnan().any()
    assert (sigma >= 0).all() and (rgb >= 0).all() and (rgb <= 1).all()
