"""How well the shells bracket the surface: a measure of the duplex mesh before training.

It also chooses the level of the inner shell. If the shells are far apart, the colour between the two hits of a ray
depends too much on the direction; if they coincide, the second hit adds no information. The best quality lies in
between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.baking.fields.field import Teacher
from duplex.baking.fields.rendering import rays_of, standard_samples
from duplex.baking.geometry.gbuffers import Rasterizer

VISIBLE = 10 / 255
LEVEL_STEPS = 6
LEVELS = (0.1, 0.95)  # opacities over one grid cell: search range for the inner shell


@dataclass(frozen=True)
class Bracketing:
    """Shares in [0, 1].

    ``share``: of the volume-rendering weight on rays that hit the outer shell, what lies between the shells;
    ``missed``: of the rays on which the teacher shows something, those that hit no outer shell.
    """

    share: float
    missed: float


@dataclass(frozen=True)
class Weighed:
    """Volume-rendering weights of the teacher along ``n`` random rays of one camera.

    ``pixels``: (n,) int64, row by row; ``start``, ``end``: (n, s) world distances between which each sample's
    ``weight`` (n, s) lies, up to the next one; ``seen``: (n,) bool, whether the teacher differs from its background.
    """

    camera: Camera
    pixels: Array
    start: Tensor
    end: Tensor
    weight: Tensor
    seen: Tensor


def weigh(teacher: Teacher, cameras: list[Camera], rays: int, seed: int) -> list[Weighed]:
    """About ``rays`` random rays of ``cameras`` with the samples of the standard renderer."""
    rng = np.random.default_rng(seed)
    background = torch.tensor(teacher.scene.background)
    found = []
    for camera in cameras:
        count = min(camera.width * camera.height, max(rays // len(cameras), 1))
        chosen = rng.choice(camera.width * camera.height, count, replace=False)
        picked = torch.from_numpy(chosen)
        origins, directions = (x.cpu()[picked].to(teacher.device) for x in rays_of(camera, teacher.device))
        t, weights, colors = standard_samples(teacher, origins, directions)
        start = teacher.scene.space.travelled(origins, directions, t).cpu()
        weight = weights.cpu()
        end = torch.cat([start[:, 1:], start[:, -1:]], -1)
        difference = (weight[..., None] * (colors.cpu() - background)).sum(1).abs().amax(-1)
        found.append(Weighed(camera, chosen, start, end, weight, difference > VISIBLE))
    return found


def bracketing(weighed: list[Weighed], rasterizer: Rasterizer) -> Bracketing:
    """Measure a pair of shells.

    A sample counts by the share of its interval between the outer hit and the inner hit behind it (or anywhere
    behind the outer hit where there is no inner one).
    """
    inside = total = 0.0
    seen = missed = 0
    for rays in weighed:
        outer, inner = rasterizer.layers(rays.camera)
        hit = torch.from_numpy(outer.face.reshape(-1)[rays.pixels] >= 0)
        first = torch.from_numpy(outer.distance.reshape(-1)[rays.pixels])[:, None]
        behind = np.where(inner.face >= 0, inner.distance, np.inf).reshape(-1)[rays.pixels]
        overlap = torch.minimum(rays.end, torch.from_numpy(behind).float()[:, None]) - torch.maximum(rays.start, first)
        share = overlap.clamp(min=0) / (rays.end - rays.start).clamp(min=1e-9)
        inside += float((rays.weight * share)[hit].sum())
        total += float(rays.weight[hit].sum())
        seen += int(rays.seen.sum())
        missed += int((rays.seen & ~hit).sum())
    return Bracketing(inside / max(total, 1e-9), missed / max(seen, 1))


def inner_level(share_at: Callable[[float], float], wanted: float, bounds: tuple[float, float] = LEVELS) -> float:
    """The opacity between ``bounds`` at which ``share_at`` reaches ``wanted``; deeper levels bracket more."""
    low, high = bounds
    for _ in range(LEVEL_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if share_at(middle) < wanted else (low, middle)
    return 0.5 * (low + high)
