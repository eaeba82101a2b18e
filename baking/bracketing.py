"""How well the shells bracket the surface: the measure of the duplex mesh, before anything is learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from duplex.app.camera import Camera
from duplex.baking.gbuffers import Rasterizer
from duplex.baking.rendering import rays_of, standard_samples
from duplex.baking.teachers import Teacher

VISIBLE = 10 / 255


@dataclass(frozen=True)
class Bracketing:
    """Shares in [0, 1].

    ``share``: of the volume-rendering weight on rays that hit the outer shell, what lies between the shells;
    ``missed``: of the rays on which the teacher shows something, those that hit no outer shell.
    """

    share: float
    missed: float


def bracketing(teacher: Teacher, rasterizer: Rasterizer, cameras: list[Camera], rays: int, seed: int) -> Bracketing:
    """Measure over ``rays`` random rays of ``cameras``, with the samples of the standard renderer.

    A sample's weight belongs to the interval up to the next sample, and counts by the share of that interval
    between the outer hit and the inner hit behind it (or anywhere behind the outer hit where there is no inner one).
    """
    rng = np.random.default_rng(seed)
    inside = total = 0.0
    seen = missed = 0
    for camera in cameras:
        outer, inner = rasterizer.layers(camera)
        count = min(camera.width * camera.height, max(rays // len(cameras), 1))
        chosen = torch.from_numpy(rng.choice(camera.width * camera.height, count, replace=False))
        origins, directions = (x.cpu()[chosen].to(teacher.device) for x in rays_of(camera, teacher.device))
        t, weights, colors = standard_samples(teacher, origins, directions)
        start = teacher.scene.space.travelled(origins, directions, t).cpu()
        weights, colors = weights.cpu(), colors.cpu()
        end = torch.cat([start[:, 1:], start[:, -1:]], -1)
        hit = torch.from_numpy(outer.face.reshape(-1) >= 0)[chosen]
        first = torch.from_numpy(outer.distance.reshape(-1))[chosen][:, None]
        behind = torch.from_numpy(np.where(inner.face >= 0, inner.distance, np.inf).reshape(-1)).float()[chosen][
            :, None
        ]
        overlap = (torch.minimum(end, behind) - torch.maximum(start, first)).clamp(min=0)
        share = overlap / (end - start).clamp(min=1e-9)
        inside += float((weights * share)[hit].sum())
        total += float(weights[hit].sum())
        background = torch.tensor(teacher.scene.background)
        difference = (weights[..., None] * (colors - background)).sum(1).abs().amax(-1)
        seen += int((difference > VISIBLE).sum())
        missed += int(((difference > VISIBLE) & ~hit).sum())
    return Bracketing(inside / max(total, 1e-9), missed / max(seen, 1))
