"""Spaces of meshes: there and back, and as baking knows them."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.baking.fields.spaces import Contracted, Ndc

SPACES = [
    MeshSpace(),
    MeshSpace("contracted", (0.5, -1.0, 2.0), 1.5, True, 50.0),
    MeshSpace("contracted", (0.5, -1.0, 2.0), 1.5, False, 50.0),
    MeshSpace("ndc", (1.2, 0.9, 0.0), 0.8, True, 100.0),
]


@pytest.mark.parametrize("space", SPACES)
def test_there_and_back(space: MeshSpace) -> None:
    points = np.random.default_rng(0).normal(size=(500, 3)) * [4, 4, 4] - [0, 0, 20 if space.name == "ndc" else 0]
    assert np.allclose(space.to_world(space.from_world(points)), points, rtol=1e-9)


@pytest.mark.parametrize("space", SPACES)
def test_the_manifest_keeps_all_of_it(space: MeshSpace) -> None:
    assert MeshSpace.from_json(Node(space.to_json(), "x", "")) == space


def test_it_is_what_the_bake_calls_so() -> None:
    points = np.random.default_rng(1).uniform(-1.99, 1.99, (500, 3))
    for boxed, order in ((True, float("inf")), (False, 2.0)):
        inside = points if boxed else points / 2
        own = MeshSpace("contracted", (0.5, -1.0, 2.0), 1.5, boxed, 50.0)
        assert np.allclose(own.to_world(inside), Contracted(order, 50.0, (0.5, -1.0, 2.0), 1.5).unwarp(inside))
    own = MeshSpace("ndc", (1.2, 0.9, 0.0), 0.8, True, 100.0)
    assert np.allclose(own.to_world(points / 2), Ndc(1.2, 0.9, 0.8, 100.0).unwarp(points / 2))


@pytest.mark.parametrize("change", [{"name": "sphere"}, {"radius": 0}, {"far": -1}, {"center": [0, 0]}, {"boxed": 3}])
def test_other_spaces_are_refused(change: dict) -> None:
    with pytest.raises(DuplexError):
        MeshSpace.from_json(Node(SPACES[1].to_json() | change, "x", ""))
