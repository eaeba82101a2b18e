"""What a frame left in its targets, as arrays."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.gpu import colors
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera

CHECKED_SIDE = 512


def network_inputs(renderer: Renderer, camera: Camera) -> tuple[Array, Array]:
    """What the shading network saw when ``renderer`` last drew ``camera``.

    Returns inputs (channels, height + 2 margin, width + 2 margin) float32, 0 where nothing is covered, and the
    coverage (height, width) bool of the same G-buffer without its margin, top row first.
    """
    covered = _covered(renderer, camera)
    textures = colors(renderer.targets_for((camera.width, camera.height)).inputs)
    inputs = np.concatenate([_half_floats(texture) for texture in textures], -1).transpose(2, 0, 1).astype(np.float32)
    return np.where(covered, inputs, np.float32(0)), _inside(renderer, covered)


def complaint(renderer: Renderer, camera: Camera) -> str:
    """A sentence where the network gives no numbers for pixels of ``camera``, else nothing.

    Draws a small picture of what ``camera`` sees.
    """
    share = min(CHECKED_SIDE / max(camera.width, camera.height), 1.0)
    camera = camera.resized(max(round(share * camera.width), 1), max(round(share * camera.height), 1))
    renderer.draw(camera)
    covered = _inside(renderer, _covered(renderer, camera))
    sound = np.all([np.isfinite(_half_floats(texture)).all(-1) for texture in renderer.shaded], axis=0)
    broken = covered & ~_inside(renderer, sound)
    if not broken.any():
        return ""
    return (
        f"{broken.sum() / covered.sum():.0%} of the scene's pixels are no numbers (NaN) with the backend "
        f"{renderer.shading.name}: choose another --backend, update the graphics driver, or bake again"
    )


def _half_floats(texture: moderngl.Texture) -> Array:
    return np.frombuffer(texture.read(), np.float16).reshape(texture.height, texture.width, 4)[::-1]


def _covered(renderer: Renderer, camera: Camera) -> Array:
    """Where the G-buffer of the last frame is covered, its margin included, top row first."""
    (hits,) = colors(renderer.targets_for((camera.width, camera.height)).hits[0])
    return np.frombuffer(hits.read(), np.uint16).reshape(hits.height, hits.width, 4)[::-1, :, 3] > 0


def _inside(renderer: Renderer, plane: Array) -> Array:
    margin = renderer.bundle.network.margin
    return plane[margin : plane.shape[0] - margin, margin : plane.shape[1] - margin]
