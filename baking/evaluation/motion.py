"""Steadiness: does the picture of a bundle change from frame to frame as its teacher's does?

Seams, cracks, popping and shimmer are changes that the teacher does not show. So both are rendered along the same short
path, and their changes between neighbouring frames are compared. A static error does not count.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.metrics import psnr
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.rig import Rig

FRAMES_A_TURN = 360  # frames of a full orbit
APPROACH = 0.2  # of the distance to the center, over a whole flight; the near plane is often close to the scene


@dataclass(frozen=True)
class Steadiness:
    """The steadiness of a bundle along one path.

    ``psnr``: PSNR of the bundle's changes between neighbouring frames against the teacher's, dB; ``worst``: the same of
    the worst pair of frames, dB; ``jump``: largest over median root-mean-square change between frames, about 1 where
    nothing pops; ``teacher_jump``: the same of the teacher.
    """

    psnr: float
    worst: float
    jump: float
    teacher_jump: float


def paths(rig: Rig, frames: int, size: int) -> dict[str, list[Camera]]:
    """An orbit and a flight towards the scene, ``frames`` square cameras of ``size`` pixels each."""
    path = rig.path()
    start = path.camera(0, size, size)
    offset = start.position - rig.center
    turned = [path.camera(i / FRAMES_A_TURN, size, size) for i in range(frames)]
    nearer = [
        replace(
            start, camera_to_world=look_at(rig.center + offset * (1 - APPROACH * i / (frames - 1)), rig.center, rig.up)
        )
        for i in range(frames)
    ]
    return {"orbit": turned, "flight": nearer}


def steadiness(frames: Iterable[tuple[Array, Array]]) -> Steadiness:
    """The steadiness of at least two pairs of a bundle's and its teacher's frame, (h, w, 3) float32 in [0, 1]."""
    each = []
    sizes = []
    for (a, c), (b, d) in itertools.pairwise(frames):
        ours = b - a
        theirs = d - c
        each.append(psnr(ours, theirs))
        sizes.append([float(np.sqrt(np.mean(change**2))) for change in (ours, theirs)])
    mean = -10 * np.log10(np.mean(10 ** (-0.1 * np.array(each))))
    jumps = np.max(sizes, 0) / np.maximum(np.median(sizes, 0), 1e-9)
    return Steadiness(float(mean), min(each), float(jumps[0]), float(jumps[1]))
