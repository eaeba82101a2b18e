"""The shading network in torch."""

from __future__ import annotations

import torch

from duplex.baking.distill.shading import channels_to_space


def test_channels_become_blocks_of_pixels() -> None:
    x = torch.arange(16.0).view(1, 16, 1, 1)
    y = channels_to_space(x, 2)
    assert y.shape == (1, 4, 2, 2)
    assert y[0, :, 0, 1].tolist() == [4, 5, 6, 7] and y[0, :, 1, 0].tolist() == [8, 9, 10, 11]
