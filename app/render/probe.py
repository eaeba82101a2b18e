"""Inspection of one pixel: its hits, its features and its colour."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.passes.gbuffer import LEVEL_STEPS, LOWEST_LEVEL, OPACITY_STEPS, UV_STEPS
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera


@dataclass(frozen=True)
class Hit:
    """The first hit of a pixel's ray with a shell.

    ``u``, ``v``: texture coordinates in [0, 1]; ``level``: mip level of the texture lookup, 0 is the finest;
    ``features``: (n,) float32.
    """

    u: float
    v: float
    level: float
    features: Array


@dataclass(frozen=True)
class Probe:
    """The two hits of a pixel, None if its ray misses the shell, and its colour.

    ``color``: (4,) uint8 RGBA, premultiplied alpha, without a background.
    """

    outer: Hit | None
    inner: Hit | None
    color: Array


def probe(
    renderer: Renderer, camera: Camera, pixel: tuple[int, int], shells: tuple[bool, bool] = (True, True)
) -> Probe:
    """Draw the image of ``camera`` and inspect ``pixel`` (x, y), counted from the top left.

    ``shells``: as in :class:`~duplex.app.render.frame.FrameOptions`.
    """
    result = renderer.draw(camera, FrameOptions(background=TRANSPARENT, shells=shells))
    frame = result.frame
    assert frame is not None
    network = renderer.bundle.network
    below = camera.height - 1 - pixel[1]  # rows below the pixel: OpenGL counts from the bottom
    scale = network.channels_to_space
    count = network.feature_channels
    block = (pixel[0] // scale + network.margin, below // scale + network.margin, 1, 1)
    planes = [frame.inputs.read(block, 4, attachment=i, dtype="f2") for i in range(count // 2)]
    features = np.frombuffer(b"".join(planes), np.float16).astype(np.float32)
    hits = []
    for i, (layer, shell) in enumerate(zip(frame.hits, (renderer.bundle.outer, renderer.bundle.inner), strict=True)):
        u, v, level, covered = np.frombuffer(_texel(renderer.ctx, layer, block), np.uint16).tolist()
        finest = float(np.log2(shell.texels.shape[1:3]).mean())
        hit = Hit(
            u / UV_STEPS,
            v / UV_STEPS,
            max(level // OPACITY_STEPS / LEVEL_STEPS + LOWEST_LEVEL + finest, 0.0),
            features[i * count : (i + 1) * count],
        )
        hits.append(hit if covered else None)
    color = np.frombuffer(result.picture.read((pixel[0], below, 1, 1), 4), np.uint8)
    return Probe(hits[0], hits[1], color)


def _texel(ctx: moderngl.Context, texture: moderngl.Texture, block: tuple[int, int, int, int]) -> bytes:
    return ctx.framebuffer([texture]).read(block, 4, dtype="nu2")
