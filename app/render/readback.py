"""Render targets of a frame as numpy arrays."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.frame import Frame, FrameResult
from duplex.app.render.gpu import colors
from duplex.app.render.passes.gbuffer import OPACITY_STEPS
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera

NAN_CHECK_SIDE = 512  # longer side of the image that is searched for NaN, pixels


def network_inputs(result: FrameResult, margin: int) -> tuple[Array, Array]:
    """The inputs of the shading network for ``result``, and the scale of each pixel.

    Inputs: (channels, height + 2 margin, width + 2 margin) float32. Scale: (height, width) float32, without the margin,
    see :mod:`duplex.app.scene.network_in_numpy`. Both are 0 where the ray misses the outer shell, in G-buffer pixels,
    top row first.
    """
    frame = _frame_of(result)
    scale = _scale(frame)
    covered = scale > 0
    planes = [_half_floats(texture) for texture in colors(frame.inputs)]
    inputs = np.concatenate(planes, -1).transpose(2, 0, 1).astype(np.float32)
    return np.where(covered, inputs, np.float32(0)), _without_margin(scale, margin)


def nan_warning(renderer: Renderer, camera: Camera) -> str:
    """A warning if the network's output is not finite for some pixels of ``camera``, else an empty string.

    Draws the view of ``camera`` at low resolution.
    """
    scale = min(NAN_CHECK_SIDE / max(camera.width, camera.height), 1.0)
    small = camera.resized(max(round(scale * camera.width), 1), max(round(scale * camera.height), 1))
    result = renderer.draw(small)
    margin = renderer.bundle.network.margin
    covered = _without_margin(_scale(_frame_of(result)), margin) > 0
    finite = np.all([np.isfinite(_half_floats(texture)).all(-1) for texture in result.shaded], axis=0)
    broken = covered & ~_without_margin(finite, margin)
    if not broken.any():
        return ""
    return (
        f"{broken.sum() / covered.sum():.0%} of the scene's pixels are no numbers (NaN) with the backend "
        f"{renderer.backend.name}: choose another --backend, update the graphics driver, or bake again"
    )


def unseen_share(frame: Frame) -> float:
    """The share of the covered pixels, in [0, 1], whose hits are less than half opaque: they were not seen."""
    outer, inner = (_stored(texture) for texture in frame.hits)
    covered = outer[..., 3] > 0
    seen = [(hits[..., 2] % OPACITY_STEPS >= OPACITY_STEPS // 2) | (hits[..., 3] == 0) for hits in (outer, inner)]
    return float((covered & ~(seen[0] & seen[1])).sum() / max(covered.sum(), 1))


def _frame_of(result: FrameResult) -> Frame:
    assert result.frame is not None, "a reference picture has no G-buffer"
    return result.frame


def _half_floats(texture: moderngl.Texture) -> Array:
    return np.frombuffer(texture.read(), np.float16).reshape(texture.height, texture.width, 4)[::-1]


def _scale(frame: Frame) -> Array:
    """The scale of each pixel, 0 at a miss of the outer shell: (height, width) float32 with margin, top row first."""
    stored = _stored(frame.hits[0])[..., 3] / np.float32(65535)
    return np.asarray(stored / np.maximum(1 - stored, np.float32(1e-5)))


def _stored(hits: moderngl.Texture) -> Array:
    """Hits as they are stored, (height, width, 4) uint16, top row first."""
    return np.frombuffer(hits.read(), np.uint16).reshape(hits.height, hits.width, 4)[::-1]


def _without_margin(plane: Array, margin: int) -> Array:
    return plane[margin : plane.shape[0] - margin, margin : plane.shape[1] - margin]
