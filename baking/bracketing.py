"""How well the shells bracket the surface: the measure of the duplex mesh, before anything is learned."""

from __future__ import annotations

import numpy as np
import torch

from duplex.app.camera import Camera
from duplex.baking.gbuffers import Rasterizer
from duplex.baking.rendering import rays_of, standard_samples
from duplex.baking.teachers import Teacher


def bracketing(teacher: Teacher, rasterizer: Rasterizer, cameras: list[Camera], rays: int, seed: int) -> float:
    """Share in [0, 1] of the standard renderer's weight that falls between the shells.

    Over at most ``rays`` random rays of ``cameras`` that hit the outer shell. A sample counts when it lies behind
    the outer hit and, where the ray meets the inner shell behind that, no farther than one and a half sample
    spacings past it (the sample that the crossing falls into stands for an interval of that length).
    """
    rng = np.random.default_rng(seed)
    inside = total = 0.0
    slack = (
        0.75 * (teacher.scene.far - teacher.scene.near) / (teacher.scene.coarse_samples + teacher.scene.fine_samples)
    )
    for camera in cameras:
        outer, inner = rasterizer.layers(camera)
        hit = np.flatnonzero(outer.face.reshape(-1) >= 0)
        if not len(hit):
            continue
        chosen = torch.from_numpy(rng.choice(hit, min(len(hit), max(rays // len(cameras), 1)), replace=False))
        origins, directions = (x.cpu()[chosen].to(teacher.device) for x in rays_of(camera, teacher.device))
        t, weights, _ = standard_samples(teacher, origins, directions)
        distance = (t * directions.norm(dim=-1, keepdim=True)).cpu()
        first = torch.from_numpy(outer.distance.reshape(-1))[chosen]
        last = torch.where(
            torch.from_numpy(inner.face.reshape(-1) >= 0), torch.from_numpy(inner.distance.reshape(-1)), torch.inf
        )[chosen]
        within = (distance >= first[:, None] - slack) & (distance <= last[:, None] + slack)
        inside += float((weights.cpu() * within).sum())
        total += float(weights.sum())
    return inside / max(total, 1e-9)
