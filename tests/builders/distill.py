"""Random views of known shapes and a small trainer for tests of distillation."""

from __future__ import annotations

import math

import numpy as np
import torch

from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.network import NetworkSpec
from duplex.baking.distill.features import Mipmaps
from duplex.baking.distill.trainer import DistillConfig, Distiller
from duplex.baking.distill.views import NOWHERE, UV_STEPS, ViewSet

CONFIG = DistillConfig(steps=24, batch=2, crop_size=16, width=8)
CPU = torch.device("cpu")
SPEC = NetworkSpec.shallow(8, 8)
MARGIN = SPEC.margin


def views() -> ViewSet:
    """Three random 24 x 24 views whose covered part is a square in the middle."""
    rng = np.random.default_rng(3)
    side, margin = 24, NetworkSpec.shallow(8, 8).margin
    wide = side + 2 * margin
    hits = np.full((3, wide, wide, 6), NOWHERE, np.uint16)
    hits[:, margin + 4 : margin + 20, margin + 4 : margin + 20] = rng.integers(0, UV_STEPS, (3, 16, 16, 6))
    pictures = rng.integers(0, 256, (3, side, side, 4), np.uint8)
    pictures[..., :3] = pictures[..., :3] * (pictures[..., 3:] / 255)
    poses = [
        look_at(np.array([math.cos(i), math.sin(i), 0.5]) * 4, np.zeros(3), np.array([0.0, 0, 1])) for i in range(3)
    ]
    return ViewSet([Camera.from_fov(pose, side, side, 0.7) for pose in poses], [*pictures], [*hits], margin, [True] * 3)


def mipmaps(texels: torch.Tensor, side: int, levels: int) -> Mipmaps:
    maps = Mipmaps.empty(texels, side, levels)
    maps.texels[: len(texels)] = texels
    return maps.average()


def trainer(seed: int = 0) -> Distiller:
    return Distiller(NetworkSpec.shallow(8, 8), 64, CONFIG, seed, CPU)


def camera(side: int, angle: float) -> Camera:
    eye = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.0])
    return Camera.from_fov(look_at(eye, np.zeros(3), np.array([0.0, 0, 1])), side, side, 0.7)


def view_set(count: int = 3, side: int = 24, seed: int = 3) -> ViewSet:
    """Random views whose shells are hit on a square in the middle."""
    rng = np.random.default_rng(seed)
    wide = side + 2 * MARGIN
    hits = np.full((count, wide, wide, 6), NOWHERE, np.uint16)
    hits[:, 5 : wide - 5, 5 : wide - 5] = rng.integers(0, UV_STEPS, (count, wide - 10, wide - 10, 6))
    pictures = rng.integers(0, 255, (count, side, side, 4), np.uint8)
    return ViewSet([camera(side, i) for i in range(count)], [*pictures], [*hits], MARGIN, [True] * count)
