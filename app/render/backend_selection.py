"""Backend selection: the fastest backend on this machine whose image is correct.

Names and versions of a driver do not tell its speed, so this module measures it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.app.render.backends.names import NAMES
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.readback import network_inputs
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera
from duplex.app.scene.network_in_numpy import evaluate

FRAMES = 240  # upper limit of a measurement, which draws every camera at least once
SECONDS = 10.0  # upper limit of a measurement
MIN_PARITY = 45.0  # dB; a backend below this is not selected
CHOICE_FRAMES = 3
CHOICE_SIZE = (160, 120)  # of the parity image, pixels
CHOICE_GAIN = 0.9  # switch only if the other backend takes less than this fraction of the time


def frame_times(renderer: Renderer, path: Sequence[Camera], frames: int = FRAMES, seconds: float = SECONDS) -> Array:
    """Frame times along ``path`` in milliseconds, (n,) float64; the GPU finishes each frame before the next.

    The first pass over ``path`` warms up and is not measured. Measurement stops after ``frames`` frames or ``seconds``
    of drawing, but not before the end of ``path``.
    """
    for camera in path:
        renderer.draw(camera)
    renderer.ctx.finish()
    times: list[float] = []
    while len(times) < len(path) or (len(times) < frames and sum(times) < 1000 * seconds):
        started = time.perf_counter()
        renderer.draw(path[len(times) % len(path)])
        renderer.ctx.finish()
        times.append(1000 * (time.perf_counter() - started))
    return np.array(times)


def parity(renderer: Renderer, camera: Camera, shells: tuple[bool, bool] = (True, True)) -> tuple[float, float]:
    """PSNR in dB of an image against the numpy network on the same inputs, and the covered fraction in [0, 1].

    ``shells``: as in :class:`~duplex.app.render.frame.FrameOptions`.
    """
    network = renderer.bundle.network
    result = renderer.draw(camera, FrameOptions(background=TRANSPARENT, shells=shells))
    data = np.frombuffer(result.texture.read(), np.uint8)
    drawn = data.reshape(camera.height, camera.width, 4)[::-1].astype(np.float32) / 255
    inputs, pixel_scale = network_inputs(result, network.margin)
    mask = pixel_scale > 0
    rgba = evaluate(network, renderer.bundle.weights, inputs, pixel_scale)
    scale = network.channels_to_space
    alpha = rgba[3] * mask.repeat(scale, 0).repeat(scale, 1)
    expected = np.stack([*(rgba[:3] * alpha), alpha], -1)[-camera.height :, : camera.width]
    return psnr(drawn, expected), float(mask.mean())


def fastest(first: Renderer, camera: Camera) -> Renderer:
    """``first``, or a renderer with a faster backend, measured on ``camera``; its parity exceeds ``MIN_PARITY``."""
    small = camera.resized(*CHOICE_SIZE)
    correct = parity(first, small)[0] > MIN_PARITY
    best = first
    least = float(np.median(frame_times(first, [camera], CHOICE_FRAMES))) if correct else np.inf
    for name in NAMES:
        if name == first.backend.name:
            continue
        try:
            other = Renderer(first.ctx, first.bundle, name)
            times = frame_times(other, [camera], CHOICE_FRAMES)
            decibels, _ = parity(other, small)
        except DuplexError:  # the backend is not available on this machine
            continue
        if decibels > MIN_PARITY and np.median(times) < CHOICE_GAIN * least:
            best = other
            least = float(np.median(times))
        del other  # release GPU memory before the next renderer is created
    return best
