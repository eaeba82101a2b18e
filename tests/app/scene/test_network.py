"""The network evaluated in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from duplex.app.scene.network import NetworkSpec, NetworkWeights, evaluate
from duplex.baking.distill.shading import ShadingNetwork


@pytest.mark.parametrize("scale", [1, 2])
def test_the_reference_network_is_that_of_torch(scale: int, random_weights) -> None:
    spec = NetworkSpec.shallow(4, 12, scale)
    weights: NetworkWeights = random_weights(spec)
    inputs = np.random.default_rng(0).standard_normal((spec.inputs, 13, 11)).astype(np.float32)
    with torch.no_grad():
        expected = ShadingNetwork(spec).load(weights)(torch.from_numpy(inputs)[None])[0].numpy()
    assert np.allclose(evaluate(spec, weights, inputs), expected, atol=1e-5)
