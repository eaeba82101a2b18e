"""The shading network in torch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from duplex.app.scene.network import NetworkSpec
from duplex.baking.distill.shading import ShadingNetwork, channels_to_space


def test_channels_become_blocks_of_pixels() -> None:
    x = torch.arange(16.0).view(1, 16, 1, 1)
    y = channels_to_space(x, 2)
    assert y.shape == (1, 4, 2, 2)
    assert y[0, :, 0, 1].tolist() == [4, 5, 6, 7] and y[0, :, 1, 0].tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize("scale", [1, 2])
def test_an_opaque_network_stays_opaque_when_exported(scale: int) -> None:
    torch.manual_seed(0)
    spec = NetworkSpec.shallow(8, 8)
    last = replace(spec.layers[-1], outputs=4 * scale**2)
    spec = replace(spec, layers=(*spec.layers[:-1], last), channels_to_space=scale)
    network = ShadingNetwork(spec, opaque=True)
    inputs = torch.randn(1, spec.inputs, 12, 12)
    trained = network(inputs).detach()
    assert (trained[:, 3] == 1).all() and (trained[:, :3] < 1).any()
    alone = ShadingNetwork(spec).load(network.exported())
    drawn = alone(inputs).detach()
    assert torch.equal(drawn[:, :3], trained[:, :3]) and (drawn[:, 3] > 1 - 1e-6).all()
    assert not ShadingNetwork(spec)(inputs)[:, 3].eq(1).any()
