"""Codecs that bundles do not use: each draws what it counts the bits of, so that a comparison means something."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from duplex.app.scene.bundle import Bundle
from duplex.baking.compression.alternatives import (
    CoarserLatents,
    ContextFreeLatents,
    HyperpriorLatents,
    NoisyLatents,
    PictureLatents,
    with_one_transform,
    with_plain_transform,
)
from duplex.baking.compression.features import Unpacked, unpacked_of
from duplex.baking.compression.latents import Latents, latents_of

STEP = 2.0


@pytest.fixture(scope="module")
def unpacked(demo: Bundle) -> Unpacked:
    return unpacked_of(demo.shells, demo.weights)[0]


@pytest.fixture(scope="module")
def built(unpacked: Unpacked) -> Latents:
    return Latents(unpacked, STEP)


def test_contexts_save_bits_and_side_information_saves_fewer(unpacked: Unpacked, built: Latents) -> None:
    bits = built.priced(True)
    free, side = (made(unpacked, STEP).priced(True) for made in (ContextFreeLatents, HyperpriorLatents))
    assert bits < side < free
    assert HyperpriorLatents(unpacked, STEP, contexts=True).priced(True) < side


def test_noise_is_drawn_while_it_learns_and_integers_afterwards(unpacked: Unpacked, built: Latents) -> None:
    noisy = NoisyLatents(unpacked, STEP, steps=1)
    first, second = noisy().detach(), noisy().detach()
    stored = built().detach()
    assert (first - stored).abs().mean() > 3 * (second - stored).abs().mean()
    assert torch.equal(second, stored) and noisy.priced(True) == built.priced(True)


def test_without_the_finest_level_nothing_of_it_is_stored(unpacked: Unpacked, built: Latents) -> None:
    coarser = CoarserLatents(unpacked, STEP)
    coarser().square().sum().backward()
    coarser.priced(True)
    coarser.charge(1.0)
    assert not any(band.any() for band in coarser.quantised()[1][-1])
    assert coarser.priced(True) < built.priced(True)


def test_pictures_draw_what_the_codec_left(unpacked: Unpacked, built: Latents) -> None:
    fine, rough = PictureLatents(unpacked, STEP, 95), PictureLatents(unpacked, STEP, 20)
    before = rough().detach()
    assert 0 < rough.priced(True) < fine.priced(True)
    assert torch.equal(rough().detach(), before)  # drawn through the codec from the beginning
    exact = Latents(unpacked, 0.1)().detach()
    near, far = ((each().detach() - exact).square().mean() for each in (fine, rough))
    assert near < 0.2 * far
    fine().square().sum().backward()
    fine.charge(1.0)
    assert fine.planes.grad is not None and fine.planes.grad.abs().sum() > 0


@pytest.mark.parametrize("made", [with_one_transform, with_plain_transform])
def test_other_channel_transforms_lose_no_more_than_their_step(made, demo: Bundle) -> None:  # type: ignore[no-untyped-def]
    exact = [each().detach().numpy() for each in latents_of(demo.shells, demo.weights, 0.1)]
    for latents, wanted in zip(made(demo.shells, demo.weights, 0.1), exact, strict=True):
        assert np.abs(latents().detach().numpy() - wanted).mean() < 0.02
