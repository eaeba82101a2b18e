"""The positional encoding."""

from __future__ import annotations

import torch

from builders.mlp.plain import encode, random_points
from duplex.baking.fields.encoding import Encoding


def test_positional_encoding_matches_the_slow_one() -> None:
    points, _ = random_points()
    assert torch.allclose(Encoding.powers(10)(points), encode(points, 10), atol=1e-6)
