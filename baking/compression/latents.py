"""Features of a shell as quantised wavelet coefficients that learn: the texels follow from them, and gradients go back.

Values are in quantisation steps. In the forward pass they are rounded, in the backward pass rounding counts as the
identity (a straight-through estimator).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import BundleShell
from duplex.app.scene.codec.entropy import Details, EntropyModel, shapes_of
from duplex.app.scene.codec.features import PackedFeatures
from duplex.app.scene.codec.wavelet import ORIENTATIONS
from duplex.app.scene.network import NetworkWeights
from duplex.baking.compression.entropy_fit import Context, fit_entropy
from duplex.baking.compression.features import Unpacked, unpacked_of
from duplex.baking.compression.rate import Rate, rate_of


class Latents(nn.Module):
    """The coefficients of one shell: parameters ``coarse`` (h, w, k) and ``bands``, the coarsest level's first."""

    def __init__(self, start: Unpacked, step: float):
        super().__init__()
        self.start, self.step = start, step
        gains = start.gains / step
        self.coarse = nn.Parameter(_tensor(start.coarse * gains[0, 0]))
        self.bands = nn.ParameterList(
            nn.Parameter(_tensor(band * gain))
            for level, of_level in zip(start.details, gains[1:], strict=True)
            for band, gain in zip(level, of_level, strict=True)
        )
        self.sizes: Tensor
        self.register_buffer("sizes", _tensor(1 / gains))
        self.unmixing: Tensor
        self.register_buffer("unmixing", _tensor(start.unmixing))
        self.mean: Tensor
        self.register_buffer("mean", _tensor(start.mean))
        self._model: tuple[EntropyModel, Array] | None = None
        self._slopes: list[Tensor] = []

    @property
    def coefficients(self) -> list[nn.Parameter]:
        """The coarse band and all bands of details."""
        return [self.coarse, *self.bands]

    def forward(self) -> Tensor:
        """The features (side * side, c) of the rounded coefficients, with their gradients."""
        rounded = [self.stored_as(each) for each in self.coefficients]
        scaled = [rounded[0] * self.sizes[0, 0]]
        scaled += [band * self.sizes[1 + i // ORIENTATIONS, i % ORIENTATIONS] for i, band in enumerate(rounded[1:])]
        values = _Inverse.apply(*scaled)  # type: ignore[no-untyped-call]
        return values.reshape(-1, values.shape[2]) @ self.unmixing + self.mean  # type: ignore[no-any-return]

    def stored_as(self, coefficients: Tensor) -> Tensor:
        """What pictures are drawn from instead of ``coefficients``."""
        return coefficients + (coefficients.round() - coefficients).detach()

    def context(self, shapes: Sequence[tuple[int, int]]) -> Context | None:
        """What is known of coefficients, if not the sizes of others, for bands of ``shapes``."""
        return None

    def rate(self, refit: bool) -> Rate:
        """The bits of the coefficients by an entropy model that is fitted to them now, or was at an earlier call."""
        coarse, details = self.quantised()
        context = self.context(shapes_of(details))
        if refit or self._model is None:
            self._model = fit_entropy(coarse, details, context)
        return rate_of(coarse, details, *self._model, context)

    def priced(self, refit: bool) -> float:
        """Compute what coefficients cost now, for :meth:`charge`; returns the bits of all, as for :meth:`rate`."""
        rate = self.rate(refit)
        self._slopes = [torch.from_numpy(each).to(self.mean.device) for each in rate.slopes]
        return rate.bits

    def charge(self, price: float) -> None:
        """Add ``price`` times the bits to the loss whose gradients the details have."""
        for band, slope in zip(self.bands, self._slopes, strict=True):
            if band.grad is not None:
                band.grad.addcmul_(slope, band.detach().sign(), value=price)

    def quantised(self, step: float | None = None) -> tuple[Array, Details]:
        """The coarse band and the details as whole numbers of another ``step``, or of their own."""
        share = self.step / (step or self.step)
        whole = [(share * each.detach()).round().to(torch.int32).cpu().numpy() for each in self.coefficients]
        levels = range(1, len(whole), ORIENTATIONS)
        return whole[0], [(whole[i], whole[i + 1], whole[i + 2]) for i in levels]

    def packed(self, step: float | None = None) -> PackedFeatures:
        """What the file holds of them."""
        return self.start.stored(*self.quantised(step), step or self.step)


LatentsMaker = Callable[[Sequence[BundleShell], NetworkWeights, float], Sequence[Latents]]


def latents_of(shells: Sequence[BundleShell], weights: NetworkWeights, step: float) -> list[Latents]:
    """The coefficients of both ``shells`` in quantisation steps ``step``, for a network with ``weights``."""
    return [Latents(each, step) for each in unpacked_of(shells, weights)]


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


class _Inverse(torch.autograd.Function):
    """The inverse wavelet transform of a coarse band and bands of details, (.., .., k) each, and its adjoint."""

    @staticmethod
    def forward(context: Any, coarse: Tensor, *bands: Tensor) -> Tensor:
        context.levels = len(bands) // ORIENTATIONS
        for i in range(0, len(bands), ORIENTATIONS):
            rows, columns, both = bands[i : i + ORIENTATIONS]
            coarse = _merged(_merged(coarse, rows, 1), _merged(columns, both, 1), 0)
        return coarse

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        bands: list[Tensor] = []
        for _ in range(context.levels):
            low, high = _parted(gradient, 0)
            gradient, rows = _parted(low, 1)
            bands = [rows, *_parted(high, 1), *bands]
        return (gradient, *bands)


def _merged(even: Tensor, odd: Tensor, axis: int) -> Tensor:
    """The samples of both halves along ``axis``, as :mod:`duplex.app.scene.codec.wavelet` merges them, unrounded."""
    even, odd = even.transpose(0, axis), odd.transpose(0, axis)
    merged = even.new_empty(2 * len(even), *even.shape[1:])
    first, second = merged[0::2], merged[1::2]
    torch.sub(even, odd, alpha=0.25, out=first)
    first[1:].sub_(odd[:-1], alpha=0.25)
    first[:1].sub_(odd[:1], alpha=0.25)
    torch.add(odd, first, alpha=0.5, out=second)
    second[:-1].add_(first[1:], alpha=0.5)
    second[-1:].add_(first[-1:], alpha=0.5)
    return merged.transpose(0, axis)


def _parted(gradient: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The adjoint of :func:`_merged`."""
    gradient = gradient.transpose(0, axis)
    first, second = gradient[0::2], gradient[1::2]
    even = torch.add(first, second, alpha=0.5)
    even[1:].add_(second[:-1], alpha=0.5)
    even[-1:].add_(second[-1:], alpha=0.5)
    odd = torch.sub(second, even, alpha=0.25)
    odd[:-1].sub_(even[1:], alpha=0.25)
    odd[:1].sub_(even[:1], alpha=0.25)
    return even.transpose(0, axis), odd.transpose(0, axis)
