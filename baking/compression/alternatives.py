"""Other ways to store features, each compared with the one that bundles use (docs/size.md)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import BundleShell
from duplex.app.scene.network import NetworkWeights
from duplex.baking.compression.entropy_fit import Context
from duplex.baking.compression.features import Unpacked, channel_mixing, first_layers, used_values
from duplex.baking.compression.latents import Latents
from duplex.baking.compression.rate import Rate

NOISY_SHARE = 0.75  # of the steps, for coefficients that learn with noise
BLOCK = 8  # coefficients a side that share a scale
SCALES_PER_OCTAVE = 2
LEAST_SCALE = 2.0**-6
AVIF_SPEED = 8  # of the encoder: 0 is slowest, 10 fastest
NEARLY_EXACT = 0.01  # quantisation step
LEVELS = 255  # of a picture's pixels


class NoisyLatents(Latents):
    """Uniform noise stands for rounding in the first ``steps`` (Balle et al., ICLR 2017)."""

    def __init__(self, start: Unpacked, step: float, steps: int):
        super().__init__(start, step)
        self.left = steps

    def forward(self) -> Tensor:
        """As :meth:`Latents.forward`."""
        self.left -= torch.is_grad_enabled()
        return super().forward()

    def stored_as(self, coefficients: Tensor) -> Tensor:
        """As :meth:`Latents.stored_as`, with noise while there is some."""
        if self.left < 0 or not torch.is_grad_enabled():
            return super().stored_as(coefficients)
        return coefficients + torch.rand_like(coefficients) - 0.5


class CoarserLatents(Latents):
    """The finest level of details, the residuals of high frequencies, is left out."""

    def __init__(self, start: Unpacked, step: float):
        super().__init__(start, step)
        for band in self.bands[-3:]:
            band.data.zero_()
            band.requires_grad_(False)


class ContextFreeLatents(Latents):
    """What is expected of a coefficient follows from its level and orientation alone."""

    def context(self, shapes: Sequence[tuple[int, int]]) -> Context:
        """As :meth:`Latents.context`."""
        return lambda level, terms, symbols: np.zeros_like(terms)


class HyperpriorLatents(Latents):
    """A scale for each block of coefficients is stored as side information (Balle et al., ICLR 2018), for contexts.

    ``contexts``: whether these are kept too. Scales count with their entropy, given the one to the left.
    """

    def __init__(self, start: Unpacked, step: float, contexts: bool = False):
        super().__init__(start, step)
        self.contexts = contexts

    def context(self, shapes: Sequence[tuple[int, int]]) -> Context:
        """As :meth:`Latents.context`."""

        def known(level: int, terms: Array, symbols: Array) -> Array:
            height, width = shapes[level]
            scales = _block_scales(symbols.reshape(height, width))
            sizes = LEAST_SCALE * 2 ** (scales / SCALES_PER_OCTAVE)
            each = sizes.repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width].reshape(-1)
            found = terms.copy() if self.contexts else np.zeros_like(terms)
            found[:, 1] = np.round(16 * each)  # of the one above, which is the least telling
            return found

        return known

    def rate(self, refit: bool) -> Rate:
        """As :meth:`Latents.rate`, with the scales."""
        rate = super().rate(refit)
        _, details = self.quantised()
        bands = [band[:, :, c] for level in details for band in level for c in range(band.shape[2]) if band.any()]
        steps = [np.diff(_block_scales(band), axis=1, prepend=0).reshape(-1) for band in bands]
        return replace(rate, bits=rate.bits + _entropy(np.concatenate(steps)))


class PictureLatents(Latents):
    """Mixed channels as grey AVIF pictures of a ``quality`` (0 to 100): a standard codec in the loop.

    What the codec changes is computed when prices are, and counts as a constant in between (a straight-through
    estimator).
    """

    def __init__(self, start: Unpacked, step: float, quality: int):
        super().__init__(start, step)
        self.quality = quality
        values = Latents(start, NEARLY_EXACT)().detach()
        side = round(len(values) ** 0.5)
        planes = (values - self.mean) @ torch.linalg.inv(self.unmixing)
        self.planes = nn.Parameter(planes.reshape(side, side, -1))
        self.change = torch.zeros_like(planes)
        del self.coarse, self.bands
        self.priced(True)

    @property
    def coefficients(self) -> list[nn.Parameter]:
        """The planes."""
        return [self.planes]

    def forward(self) -> Tensor:
        """As :meth:`Latents.forward`."""
        values = self.planes.flatten(0, 1)
        return (values + self.change) @ self.unmixing + self.mean

    def priced(self, refit: bool) -> float:
        """As :meth:`Latents.priced`; encodes the planes."""
        planes = self.planes.detach().cpu().numpy()
        scale = LEVELS / max(float(np.ptp(planes, (0, 1)).max()), 1e-6)
        size, decoded = 0, np.empty_like(planes)
        for c in range(planes.shape[2]):
            low = planes[:, :, c].min()
            content = _avif(np.round((planes[:, :, c] - low) * scale).astype(np.uint8), self.quality)
            with Image.open(io.BytesIO(content)) as picture:
                decoded[:, :, c] = np.asarray(picture.convert("L")) / np.float32(scale) + low
            size += len(content)
        self.change = torch.from_numpy(decoded - planes).to(self.planes.device).flatten(0, 1)
        return 8.0 * size

    def charge(self, price: float) -> None:
        """Nothing: what a change of a plane costs is not known."""


def with_one_transform(shells: Sequence[BundleShell], weights: NetworkWeights, step: float) -> list[Latents]:
    """Both shells' channels are mixed alike."""
    layers = first_layers(shells, weights)
    mixing = channel_mixing(np.concatenate([used_values(shell) for shell in shells]), np.concatenate(layers))
    return [Latents(Unpacked(shell, layer, mixing), step) for shell, layer in zip(shells, layers, strict=True)]


def with_plain_transform(shells: Sequence[BundleShell], weights: NetworkWeights, step: float) -> list[Latents]:
    """Channels are uncorrelated by themselves, not behind the network's first layer; errors weigh alike on average."""
    found = []
    for shell, layer in zip(shells, first_layers(shells, weights), strict=True):
        values = used_values(shell)
        mixing = np.linalg.eigh(np.cov(values.T))[1][:, ::-1]
        gain = np.sqrt((layer.sum((2, 3)) ** 2).sum() / layer.shape[1])
        found.append(Latents(Unpacked(shell, layer, gain * mixing), step))
    return found


def _block_scales(band: Array) -> Array:
    """The scale of each block of ``band`` (h, w), a whole number from 0 on, (ceil(h / 8), ceil(w / 8))."""
    height, width = (-(-side // BLOCK) * BLOCK for side in band.shape)
    padded = np.zeros((height, width))
    padded[: band.shape[0], : band.shape[1]] = np.abs(band)
    means = padded.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean((1, 3))
    octaves = np.log2(np.maximum(means, LEAST_SCALE) / LEAST_SCALE)
    return np.asarray(np.round(SCALES_PER_OCTAVE * octaves)).astype(np.int64)


def _entropy(symbols: Array) -> float:
    """The bits of all ``symbols`` (n,) by their own frequencies."""
    counts = np.unique(symbols, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def _avif(plane: Array, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, "AVIF", quality=quality, subsampling="4:0:0", range="full", speed=AVIF_SPEED)
    return buffer.getvalue()
