"""Packs a shell's features: channels mixed so that errors weigh alike in the picture, wavelets, quantisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import BundleShell
from duplex.app.scene.codec import wavelet
from duplex.app.scene.codec.entropy import Details
from duplex.app.scene.codec.features import FRACTION_BITS, PackedFeatures
from duplex.app.scene.network import NetworkWeights
from duplex.baking.compression.entropy_fit import fit_entropy

LEVELS = 5
POINTS = 80  # of a face, that tell which texels are used
UNIT = 2048  # of fixed point, in a quantisation step
LEAST_SHARE = 1e-4  # of the largest, of how much a direction of features weighs
CENTRE_SHARE = 0.1  # how much single taps weigh beside their sum: neighbours mostly agree
DEAD_ZONE = 0.4  # share of a step from which coefficients are rounded up


class Unpacked:
    """The wavelet coefficients of a shell's features before quantisation.

    ``first_layer``: (outputs, c, 3, 3), the network's weights of these features; ``mixing``: (c, c), of channels, by
    default that of :func:`channel_mixing`. Texels that no face uses may take any value.
    """

    def __init__(self, shell: BundleShell, first_layer: Array, mixing: Array | None = None):
        height, width = shell.texels.shape[1:3]
        used, values = used_texels(shell), _values(shell)
        self.mean = values[used].mean(0)
        if mixing is None:
            mixing = channel_mixing(values[used] - self.mean, first_layer)
        levels = min(LEVELS, *(int(side & -side).bit_length() - 1 for side in (height, width)))
        self.coarse, self.details = wavelet.forward(pull_push((values - self.mean) @ mixing, used), levels)
        self.gains = wavelet_gains(levels)
        self.unmixing = np.linalg.inv(mixing)
        self.shell = shell

    def packed(self, step: float) -> PackedFeatures:
        """The features, quantised in steps of what the network's first layer gives."""
        details: Details = [
            tuple(_rounded(band * gain / step) for band, gain in zip(level, gains, strict=True))  # type: ignore[misc]
            for level, gains in zip(self.details, self.gains[1:], strict=True)
        ]
        return self.stored(np.round(self.coarse * self.gains[0, 0] / step).astype(np.int32), details, step)

    def stored(self, coarse: Array, details: Details, step: float) -> PackedFeatures:
        """What is stored of coefficients that are whole numbers of a quantisation ``step``."""
        scales = np.maximum(np.round(UNIT / self.gains), 1).astype(np.int32)
        to_texels = 255 / self.shell.scale.astype(np.float64) * (1 << FRACTION_BITS)
        mix = np.round(self.unmixing * step / UNIT * to_texels).astype(np.int32)
        shift = np.round((self.mean - self.shell.offset) * to_texels).astype(np.int32) + (1 << FRACTION_BITS - 1)
        return PackedFeatures(coarse, details, scales, mix, shift, *fit_entropy(coarse, details))


def unpacked_of(shells: Sequence[BundleShell], weights: NetworkWeights) -> list[Unpacked]:
    """The coefficients of the outer and the inner of ``shells``, for a network with ``weights``."""
    return [Unpacked(shell, layer) for shell, layer in zip(shells, first_layers(shells, weights), strict=True)]


def first_layers(shells: Sequence[BundleShell], weights: NetworkWeights) -> list[Array]:
    """The weights (outputs, c, 3, 3) of each shell's features in the first layer of a network with ``weights``."""
    layer, count = weights.weights[0], 4 * len(shells[0].texels)
    return [layer[:, i * count : (i + 1) * count] for i in range(len(shells))]


def used_values(shell: BundleShell) -> Array:
    """The features (n, c) of the texels that faces use, less their mean."""
    values = _values(shell)[used_texels(shell)]
    return np.asarray(values - values.mean(0))


def _values(shell: BundleShell) -> Array:
    """The features (height, width, c)."""
    count, height, width, _ = shell.texels.shape
    texels = shell.texels.transpose(1, 2, 0, 3).reshape(height, width, 4 * count).astype(np.float64)
    return np.asarray(shell.offset + shell.scale.astype(np.float64) / 255 * texels)


def _rounded(coefficients: Array) -> Array:
    size = np.floor(np.abs(coefficients) + DEAD_ZONE)
    return (np.sign(coefficients) * size).astype(np.int32)


def channel_mixing(values: Array, first_layer: Array) -> Array:
    """The matrix (c, c) whose channels are uncorrelated, and whose errors weigh alike behind the network's first layer.

    ``values``: (n, c), of mean 0. It is the Karhunen-Loeve transform in the metric of that layer.
    """
    total = first_layer.sum((2, 3)).astype(np.float64)
    single = first_layer.astype(np.float64)
    metric = total.T @ total + CENTRE_SHARE * np.einsum("oikl,ojkl->ij", single, single)
    weight, axes = np.linalg.eigh(metric)
    root = axes @ np.diag(np.sqrt(np.maximum(weight, LEAST_SHARE * weight.max()))) @ axes.T
    weighed = values @ root
    return np.asarray(root @ np.linalg.eigh(weighed.T @ weighed)[1][:, ::-1])


def used_texels(shell: BundleShell) -> Array:
    """Which texels a look-up on the shell's faces reads, (height, width) bool."""
    height, width = shell.texels.shape[1:3]
    used = np.zeros((height + 1, width + 1), bool)
    corners = shell.mesh.uvs[shell.mesh.faces] * np.array([width, height])
    rng = np.random.default_rng(0)
    places = [corners.reshape(-1, 2)]
    for _ in range(POINTS):
        shares = rng.dirichlet([1, 1, 1], len(corners))[..., None]
        places.append((corners * shares).sum(1))
    for place in places:
        x, y = np.floor(place - 0.5).astype(np.int64).T
        for right, down in ((0, 0), (0, 1), (1, 0), (1, 1)):
            used[(y + down).clip(0, height), (x + right).clip(0, width)] = True
    return used[:height, :width]


def pull_push(values: Array, known: Array) -> Array:
    """``values`` (h, w, c) where they are ``known`` (h, w), and elsewhere smooth ones: means of ever coarser cells."""
    height, width = known.shape
    if known.all() or height % 2 or width % 2:
        return values
    weight = known[..., None].astype(np.float64)
    cells = (height // 2, 2, width // 2, 2, -1)
    total, number = ((each * weight).reshape(cells).sum((1, 3)) for each in (values, np.ones((height, width, 1))))
    coarse = pull_push(total / np.maximum(number, 1), number[..., 0] > 0)
    return np.where(known[..., None], values, coarse.repeat(2, 0).repeat(2, 1))


def wavelet_gains(levels: int) -> Array:
    """The norm of what a coefficient of 1 adds to the picture, (levels + 1, 3); the first row is of the coarse band."""
    side = 4 << levels
    gains = np.ones((levels + 1, 3))
    for level in range(levels + 1):
        for k in range(3 if level else 1):
            coarse, details = wavelet.forward(np.zeros((side, side, 1)), levels)
            band = details[level - 1][k] if level else coarse
            band[band.shape[0] // 2, band.shape[1] // 2] = 1 << 16
            whole: Details = [(a.astype(np.int32), b.astype(np.int32), c.astype(np.int32)) for a, b, c in details]
            picture = wavelet.inverse(coarse.astype(np.int32), whole)
            gains[level, k] = np.sqrt((picture.astype(np.float64) ** 2).sum()) / (1 << 16)
    return gains
