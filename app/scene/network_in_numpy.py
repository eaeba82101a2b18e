"""The shading network in numpy: the reference implementation, which other ones are compared with.

A network with a reference view learned there what its neighbours mean. Alphabet: ``r``, the scale of a pixel, see
:mod:`duplex.app.scene.coordinates.reference_view`; ``level = log2(TAP_SPACING r)``, at least 0. The pyramid level ``k``
holds the means of ``2^k x 2^k`` G-buffer pixels, beginning at the bottom left. The first layer's centre reads the pixel
itself. Its other taps read the neighbours of the pixel's place in the pyramid: their sum is computed on every texel of
a level and interpolated between texels and between the two nearest levels (trilinear).
"""

from __future__ import annotations

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.network import MAX_LEVEL, TAP_SPACING, NetworkSpec, NetworkWeights


def evaluate(spec: NetworkSpec, weights: NetworkWeights, inputs: Array, scale: Array | None = None) -> Array:
    """Straight RGBA (4, s h, s w) of ``inputs`` (c, h + 2 m, w + 2 m) float32, top row first.

    ``m`` is ``spec.margin`` and ``s`` is ``spec.channels_to_space``. ``scale``: (h, w), ``r`` of each pixel, for a
    network with a reference view; None counts as 1.
    """
    x = inputs
    for i, (layer, weight, bias) in enumerate(zip(spec.layers, weights.weights, weights.biases, strict=True)):
        if i == 0 and spec.scaled and scale is not None:
            total = _scaled_convolution(x, weight, pyramid_level(scale)) + bias[:, None, None]
        else:
            total = _convolution(x, weight) + bias[:, None, None]
        if layer.activation == "relu":
            total = np.maximum(total, 0)
        elif layer.activation == "sigmoid":
            total = 1 / (1 + np.exp(-total))
        x = total
    s = spec.channels_to_space
    blocks = x.reshape(s, s, 4, *x.shape[1:]).transpose(2, 3, 0, 4, 1)
    return blocks.reshape(4, x.shape[1] * s, x.shape[2] * s)


def pyramid_level(scale: Array) -> Array:
    """The level of the feature pyramid for pixels of ``scale`` r, between 0 and :data:`MAX_LEVEL`."""
    return np.asarray(np.log2(np.clip(TAP_SPACING * scale, 1, 1 << MAX_LEVEL)))


def _convolution(x: Array, weight: Array) -> Array:
    """A valid convolution of ``x`` (c, h, w) with ``weight`` (outputs, c, k, k)."""
    kernel = weight.shape[-1]
    height, width = (side - kernel + 1 for side in x.shape[1:])
    total = np.zeros((len(weight), height * width), np.float32)
    for row in range(kernel):
        for column in range(kernel):
            part = x[:, row : row + height, column : column + width].reshape(len(x), -1)
            total += weight[:, :, row, column] @ part
    return total.reshape(-1, height, width)


def _scaled_convolution(x: Array, weight: Array, level: Array) -> Array:
    """A 3x3 convolution whose neighbours come from the pyramid at ``level`` (h, w); ``x``: (c, h + 2, w + 2)."""
    neighbours = weight.copy()
    neighbours[:, :, 1, 1] = 0
    total = np.einsum("oc,chw->ohw", weight[:, :, 1, 1], x[:, 1:-1, 1:-1])
    total = total + np.maximum(1 - level, 0) * _convolution(x, neighbours)
    mean = x[:, ::-1]  # levels begin at the bottom
    for k in range(1, MAX_LEVEL + 1):
        mean = _halved(mean)
        share = np.maximum(1 - np.abs(level - k), 0)
        if share.any():
            padded = np.pad(mean, ((0, 0), (1, 1), (1, 1)), mode="edge")
            enlarged = _enlarged(_convolution(padded, neighbours[:, :, ::-1]), k, x.shape[1:])[:, ::-1]
            total = total + share * enlarged[:, 1:-1, 1:-1]
    return np.asarray(total)


def _halved(x: Array) -> Array:
    """Means of 2 x 2 texels of ``x`` (c, h, w); the last row and column are repeated where their number is odd."""
    x = np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2)), mode="edge")
    return np.asarray(0.25 * (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]))


def _enlarged(x: Array, level: int, size: tuple[int, ...]) -> Array:
    """``x`` (c, h, w), ``2^level`` times as large by bilinear interpolation, cut to ``size``."""
    for axis in (1, 2):
        place = (np.arange(size[axis - 1]) + 0.5) / (1 << level) - 0.5
        low = np.floor(place).astype(int)
        share = (place - low).reshape((-1, 1) if axis == 1 else (1, -1)).astype(np.float32)
        first, second = (np.take(x, np.clip(at, 0, x.shape[axis] - 1), axis) for at in (low, low + 1))
        x = first + share * (second - first)
    return x
