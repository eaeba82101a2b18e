"""The network evaluated in numpy, and the feature pyramid of networks with a reference view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.network import MAX_LEVEL, TAP_SPACING, NetworkSpec, NetworkWeights
from duplex.app.scene.network_in_numpy import evaluate, pyramid_level
from duplex.baking.distill.shading import ShadingNetwork

VIEW = ReferenceView((0.0, 0.0, 0.0), 4.0, 200.0)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_reference_network_is_that_of_torch(scale: int, random_weights) -> None:
    spec = NetworkSpec.shallow(4, 12, scale)
    weights: NetworkWeights = random_weights(spec)
    inputs = np.random.default_rng(0).standard_normal((spec.inputs, 13, 11)).astype(np.float32)
    with torch.no_grad():
        expected = ShadingNetwork(spec).load(weights)(torch.from_numpy(inputs)[None])[0].numpy()
    assert np.allclose(evaluate(spec, weights, inputs), expected, atol=1e-5)


@pytest.mark.parametrize("view_kernel", [1, 3])
def test_the_pyramid_is_that_of_torch(view_kernel: int, random_weights) -> None:
    spec = replace(NetworkSpec.shallow(4, 12), view_kernel=view_kernel, reference=VIEW)
    weights: NetworkWeights = random_weights(spec)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((spec.inputs, 162, 131)).astype(np.float32)
    scale = 2 ** rng.uniform(-1, 4, (160, 129)).astype(np.float32)
    with torch.no_grad():
        level = torch.from_numpy(pyramid_level(scale))[None].float()
        expected = ShadingNetwork(spec).load(weights)(torch.from_numpy(inputs)[None], level)[0].numpy()
    inside = (slice(None), slice(64, None), slice(None, 80))  # on odd levels the far edges differ by what they repeat
    assert np.allclose(evaluate(spec, weights, inputs, scale)[inside], expected[inside], atol=1e-4)


def test_levels_follow_from_the_scale() -> None:
    assert pyramid_level(np.array([0, 0.5, 1, 1 / TAP_SPACING])).tolist() == [0, 0, 0, 0]
    assert pyramid_level(np.array([2, 8]) / TAP_SPACING) == pytest.approx([1, 3])
    assert pyramid_level(np.array([1e9])) == [MAX_LEVEL]


def test_neighbours_stay_as_far_away_on_the_surface(random_weights) -> None:
    """A picture twice as large, of features that are twice as large, is the same picture in its smooth parts."""
    spec = replace(NetworkSpec.shallow(4, 12), reference=VIEW)
    weights: NetworkWeights = random_weights(spec)
    y, x = np.mgrid[:66, :66].astype(np.float32)
    waves = np.stack([np.sin(0.3 * (i % 5 + 1) * (x if i % 2 else y) / 5 + i) for i in range(spec.inputs)])
    small = waves[:, :34, :34]
    y, x = (np.mgrid[:66, :66].astype(np.float32) - 0.5) / 2 + 0.5
    large = np.stack([np.sin(0.3 * (i % 5 + 1) * (x if i % 2 else y) / 5 + i) for i in range(spec.inputs)])
    wanted = evaluate(spec, weights, small, np.full((32, 32), 1, np.float32))
    found = evaluate(spec, weights, large, np.full((64, 64), 2 / TAP_SPACING, np.float32))
    halved = 0.25 * (found[:, ::2, ::2] + found[:, 1::2, ::2] + found[:, ::2, 1::2] + found[:, 1::2, 1::2])
    plain = evaluate(spec, weights, large, np.full((64, 64), 1, np.float32))
    middle = (slice(None), slice(6, 26), slice(6, 26))
    error = np.abs(halved - wanted)[middle].mean()
    assert error < 0.01 and error < 0.3 * np.abs(plain[:, ::2, ::2] - wanted)[middle].mean()
