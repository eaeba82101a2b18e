"""What a single pixel is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.passes.gbuffer import LEVEL_STEPS, LOWEST_LEVEL, UV_STEPS
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera


@dataclass(frozen=True)
class Hit:
    """Where a pixel's ray meets a shell.

    ``u``, ``v``: texture coordinates in [0, 1]; ``level``: of detail, 0 is the finest; ``features``: (n,) float32.
    """

    u: float
    v: float
    level: float
    features: Array


@dataclass(frozen=True)
class Probe:
    """A pixel's hits, None where a shell is missed, and its colour (4,) uint8, premultiplied by alpha."""

    outer: Hit | None
    inner: Hit | None
    color: Array


def probe(renderer: Renderer, camera: Camera, x: int, y: int) -> Probe:
    """What pixel (``x``, ``y``), counted from the top left, of the picture of ``camera`` is made of; draws that."""
    renderer.draw(camera)
    targets, network = renderer.targets_for((camera.width, camera.height)), renderer.bundle.network
    below, scale, count = camera.height - 1 - y, network.channels_to_space, network.feature_channels
    block = (x // scale + network.margin, below // scale + network.margin, 1, 1)
    planes = [targets.inputs.read(block, 4, attachment=i, dtype="f2") for i in range(count // 2)]
    features = np.frombuffer(b"".join(planes), np.float16).astype(np.float32)
    hits = []
    for i, (layer, shell) in enumerate(zip(targets.hits, (renderer.bundle.outer, renderer.bundle.inner), strict=True)):
        u, v, level, covered = np.frombuffer(layer.read(block, 4, dtype="nu2"), np.uint16).tolist()
        finest = float(np.log2(shell.texels.shape[1:3]).mean())
        found = Hit(
            u / UV_STEPS,
            v / UV_STEPS,
            max(level / LEVEL_STEPS + LOWEST_LEVEL + finest, 0.0),
            features[i * count : (i + 1) * count],
        )
        hits.append(found if covered else None)
    color = np.frombuffer(targets.picture.read((x, below, 1, 1), 4), np.uint8)
    return Probe(hits[0], hits[1], color)
