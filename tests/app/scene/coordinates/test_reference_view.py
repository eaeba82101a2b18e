"""The reference view: how large a pixel was where the network learned."""

from __future__ import annotations

import math

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node
from duplex.app.scene.coordinates.reference_view import ReferenceView, reference_of_version_1

RIG = {"center": [0, 0, 1], "radius": 4.0, "fov": 0.6911, "aspect": 1.0, "forward": False}


def test_distances_are_root_mean_squares_over_the_cameras() -> None:
    eyes = np.random.default_rng(0).normal(size=(50, 3))
    spread = math.sqrt(((eyes - eyes.mean(0)) ** 2).sum(1).mean())
    view = ReferenceView(tuple(eyes.mean(0)), spread, 100)
    points = np.random.default_rng(1).normal(size=(7, 3)) * 3
    expected = np.sqrt(((points[:, None] - eyes) ** 2).sum(-1).mean(1))
    assert np.allclose(view.distances(points), expected)
    least, most = view.distance_range(np.ones(3), 0.5)
    near = np.ones(3) + 0.5 * np.random.default_rng(2).uniform(-1, 1, (200, 3)) / math.sqrt(3)
    assert least <= view.distances(near).min() and view.distances(near).max() <= most


def test_a_bundle_of_format_1_gets_the_view_of_its_rig() -> None:
    report = {"settings": {"views": {"view_size": 400}}}
    view = reference_of_version_1(Node(RIG, "rig"), Node(report, "report"))
    assert view == ReferenceView((0, 0, 1), 4.0, pytest.approx(200 / math.tan(0.5 * 0.6911)))
    older = reference_of_version_1(Node(RIG | {"aspect": 0.5}, "rig"), Node({}, "report"))
    assert older == ReferenceView((0, 0, 1), 4.0, pytest.approx(100 / math.tan(0.5 * 0.6911) / 0.5))
    forward = RIG | {"forward": True, "eye": [1, 2, 3], "spread": 0.25}
    assert reference_of_version_1(Node(forward, "rig"), Node({}, "report")).spread == 0.25  # type: ignore[union-attr]
    assert reference_of_version_1(Node({}, "rig"), Node(report, "report")) is None


def test_it_survives_the_manifest() -> None:
    view = ReferenceView((0.5, -1.0, 2.0), 3.0, 123.5)
    assert ReferenceView.from_json(Node(view.to_json(), "reference")) == view
    for wrong in ({"focal": 0}, {"spread": -1}, {"eye": [1, 2]}, {"focal": math.inf}):
        with pytest.raises(DuplexError, match="reference"):
            ReferenceView.from_json(Node(view.to_json() | wrong, "reference"))
