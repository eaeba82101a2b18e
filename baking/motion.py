"""Steadiness: does the picture of a bundle change from frame to frame as its teacher's does?

Seams, cracks, popping and shimmer are changes that the teacher does not make. So both are rendered along the same
short path, and their changes between neighbouring frames are compared: what is wrong but stands still does not count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from duplex.app.camera import Array, Camera, look_at
from duplex.baking.metrics import psnr
from duplex.baking.rig import Rig

FRAMES_A_TURN = 360  # of an orbit
CLOSER = 0.02  # of the distance, between neighbouring frames of a flight towards the scene


@dataclass(frozen=True)
class Steadiness:
    """Of one path.

    ``psnr``: of the bundle's changes between neighbouring frames against the teacher's, dB; ``worst``: of the worst
    pair of frames; ``jump``: the largest root mean square change between frames over the median one, about 1 where
    nothing pops, and ``teacher_jump``, the same of the teacher.
    """

    psnr: float
    worst: float
    jump: float
    teacher_jump: float


def paths(rig: Rig, frames: int, size: int) -> dict[str, list[Camera]]:
    """An orbit and a flight towards the scene, ``frames`` square cameras of ``size`` pixels each."""
    way = rig.way()
    start = way.camera(0, size, size)
    offset = start.position - rig.center
    turned = [way.camera(i / FRAMES_A_TURN, size, size) for i in range(frames)]
    nearer = [
        replace(start, camera_to_world=look_at(rig.center + offset * (1 - CLOSER) ** i, rig.center, rig.up))
        for i in range(frames)
    ]
    return {"orbit": turned, "flight": nearer}


def steadiness(drawn: list[Array], wanted: list[Array]) -> Steadiness:
    """Of the frames of a bundle against its teacher's, each (h, w, 3) float32 in [0, 1]; two frames or more."""
    changes = [(b - a, d - c) for a, b, c, d in zip(drawn[:-1], drawn[1:], wanted[:-1], wanted[1:], strict=True)]
    each = [psnr(ours, theirs) for ours, theirs in changes]
    mean = -10 * np.log10(np.mean(10 ** (-0.1 * np.array(each))))
    jumps = [_jump([change[i] for change in changes]) for i in range(2)]
    return Steadiness(float(mean), min(each), *jumps)


def _jump(changes: list[Array]) -> float:
    sizes = [float(np.sqrt(np.mean(change**2))) for change in changes]
    return max(sizes) / max(float(np.median(sizes)), 1e-9)
