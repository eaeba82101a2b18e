"""Coefficients that learn: what they draw is what is stored, and gradients are those of the transform."""

from __future__ import annotations

import numpy as np
import torch

from duplex.app.scene.bundle import Bundle
from duplex.baking.compression.features import unpacked_of
from duplex.baking.compression.latents import Latents, _Inverse
from duplex.baking.compression.rate import rate_of


def test_the_gradient_of_the_inverse_transform_is_right() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, 3), *[(3, 3)] * 3, *[(6, 6)] * 3]
    bands = [torch.randn(*shape, 2, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(_Inverse.apply, bands)


def test_what_learns_is_what_is_stored(demo: Bundle) -> None:
    latents = Latents(unpacked_of(demo.shells, demo.weights)[1], 1.0)
    stored = latents.packed().texels().astype(np.float32)
    shell = demo.inner
    drawn = latents().detach().numpy().reshape(stored.shape)
    texels = (drawn - shell.offset) / shell.scale * 255
    assert np.abs(texels.clip(0, 255) - stored).max() < 1.5  # roundings of the decoder's whole numbers
    assert np.abs(texels.clip(0, 255) - stored).mean() < 0.3
    loss = latents().square().sum()
    loss.backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in latents.coefficients)


def test_the_rate_is_that_of_the_file_and_slopes_are_what_one_more_costs(demo: Bundle) -> None:
    latents = Latents(unpacked_of(demo.shells, demo.weights)[0], 2.0)
    packed = latents.packed()
    found = rate_of(packed.coarse, packed.details, packed.entropy, packed.coarse_classes)
    _, coarse, fine = packed.write()
    size = len(coarse) + len(fine)
    assert abs(found.bits / 8 - size) < 0.03 * size  # bands that are all 0 cost nothing in the file
    quiet, busy = (found.slopes[-1][packed.details[-1][2] == 0], found.slopes[-1][packed.details[-1][2] != 0])
    assert quiet.mean() > busy.mean() + 2 and quiet.max() < 24
