"""Texture atlases."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
import pytest

from duplex.app.scene.mesh import Mesh, adjacent_faces
from duplex.baking.geometry import atlas
from duplex.baking.geometry.atlas import AtlasConfig, unwrap


def test_atlas_is_injective_and_keeps_the_geometry(shells: tuple[Mesh, Mesh]) -> None:
    for shell in shells:
        assert shell.uvs.min() >= 0 and shell.uvs.max() <= 1
        assert np.unique(shell.faces).size == len(shell.positions)
        rng = np.random.default_rng(0)
        area = np.linalg.norm(np.cross(*(np.diff(shell.positions[shell.faces], axis=1).transpose(1, 0, 2))), axis=1)
        chosen = rng.choice(len(shell.faces), 200_000, p=area / area.sum())
        weights = rng.dirichlet([1, 1, 1], len(chosen)).astype(np.float32)[..., None]
        uvs = (shell.uvs[shell.faces[chosen]] * weights).sum(1)
        points = (shell.positions[shell.faces[chosen]] * weights).sum(1)
        side = 256
        texel = (uvs * side).astype(int)
        key = texel[:, 1] * side + texel[:, 0]
        assert len(np.unique(key)) > 0.3 * side**2  # the square is used ...
        order = np.argsort(key)
        begins = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
        spread = np.maximum.reduceat(points[order], begins) - np.minimum.reduceat(points[order], begins)
        assert np.linalg.norm(spread, axis=1).max() < 0.15  # ... and one texel is one place


def test_atlas_stretch_is_bounded(shells: tuple[Mesh, Mesh]) -> None:
    shell = shells[0]
    a, b, c = (shell.positions[shell.faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    p, q, r = (shell.uvs[shell.faces[:, i]].astype(np.float64) for i in range(3))
    flat = np.abs((q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0])
    large = area > np.median(area)
    ratio = (flat / area)[large]
    assert np.quantile(ratio, 0.99) / np.quantile(ratio, 0.01) < 5


def test_a_folded_chart_is_split() -> None:
    """A spiral that looks upwards twice at the same place must not share texels with itself."""
    angle = np.linspace(0, 4 * np.pi, 200)
    ring = np.stack([np.cos(angle), np.sin(angle), angle * 0.1], -1)
    positions = np.concatenate([ring * [0.5, 0.5, 1], ring]).astype(np.float32)
    i = np.arange(199)
    faces = np.concatenate([np.stack([i, i + 200, i + 1], -1), np.stack([i + 1, i + 200, i + 201], -1)])
    shell = unwrap(Mesh.without_uvs(positions, faces.astype(np.int32)), AtlasConfig(texels=256))
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], 200_000).astype(np.float32)[..., None]
    chosen = np.arange(200_000) % len(shell.faces)
    texel = ((shell.uvs[shell.faces[chosen]] * weights).sum(1) * 256).astype(int)
    height = (shell.positions[shell.faces[chosen]] * weights).sum(1)[:, 2]
    key = texel[:, 1] * 256 + texel[:, 0]
    order = np.argsort(key)
    begins = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
    spread = np.maximum.reduceat(height[order], begins) - np.minimum.reduceat(height[order], begins)
    assert spread.max() < 0.5 * 0.1 * 2 * np.pi  # less than half a turn


def test_the_packer_s_objects_rest_before_they_are_destroyed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Packer:
        def __init__(self) -> None:
            self.made = time.monotonic()

        def __del__(self) -> None:
            ages.append(time.monotonic() - self.made)

    ages: list[float] = []
    monkeypatch.setattr(atlas, "_kept", deque())
    for _ in range(3 * atlas.MOST_KEPT):
        atlas._keep(Packer())
    assert len(ages) == 2 * atlas.MOST_KEPT and min(ages) >= atlas.REST


def test_tiny_charts_join_what_is_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single faces that stand across a plane make no charts of their own."""
    y, x = np.mgrid[:41, :41]
    height = np.where((x % 8 == 4) & (y % 8 == 4), 12.0, 0.0)
    points = np.stack([x, y, height], -1).reshape(-1, 3).astype(np.float32)
    corner = (y[:-1, :-1] * 41 + x[:-1, :-1]).reshape(-1)
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 42], 1), np.stack([corner, corner + 42, corner + 41], 1)]
    )
    plane = Mesh.without_uvs(points, faces.astype(np.int32))
    counts = []
    for share in (0.0, 0.05):
        monkeypatch.setattr(atlas, "TINY_CHART", share)
        counts.append(len(np.unique(atlas._charts(adjacent_faces(plane.faces), atlas._directions(plane)))))
    assert counts[1] == 1 < counts[0]
