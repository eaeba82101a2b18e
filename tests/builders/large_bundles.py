"""Bundles of any size: a wavy sheet with as many faces and texels as asked for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from duplex.app.scene.bundle import Bundle, BundleShell
from duplex.app.scene.mesh import Mesh


def sheet(faces: int) -> Mesh:
    """A wavy sheet of about that many faces."""
    side = max(math.isqrt(faces // 2), 1)
    x, y = np.meshgrid(*[np.linspace(0, 1, side + 1, dtype=np.float32)] * 2)
    positions = np.stack([x, y, 0.1 * np.sin(9 * x) * np.cos(7 * y)], -1).reshape(-1, 3)
    corner = (np.arange(side)[:, None] * (side + 1) + np.arange(side)).reshape(-1, 1)
    two = np.concatenate([corner + np.array(x) for x in ([0, 1, side + 1], [1, side + 2, side + 1])])
    return Mesh(positions, np.stack([x, y], -1).reshape(-1, 2), two.astype(np.int32))


def large(demo: Bundle, faces: int, side: int, used: float = 1.0) -> Bundle:
    """``demo`` with shells of ``faces`` faces and square textures of ``side`` texels, a share of them ``used``."""
    rng = np.random.default_rng(0)
    count = demo.network.feature_channels // 4
    rows = max(round(side * used), 1)

    def shell(old: BundleShell) -> BundleShell:
        texels = np.full((count, side, side, 4), 128, np.uint8)
        texels[:, :rows] = rng.integers(100, 156, (count, rows, side, 4), np.uint8)
        return replace(old, mesh=sheet(faces), texels=texels)

    return replace(demo, outer=shell(demo.outer), inner=shell(demo.inner))
