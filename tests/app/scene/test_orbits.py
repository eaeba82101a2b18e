"""Elevations of a bundle's training cameras."""

from __future__ import annotations

import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.scene.orbits import trained_elevations


def test_elevations_are_read_or_absent() -> None:
    assert trained_elevations({"elevations": [-0.1, 1.5]}) == (-0.1, 1.5)
    assert trained_elevations({}) is None


@pytest.mark.parametrize("wrong", [[1.0, 0.5], [0, 2], [-2, 0], [0], "x", [0, float("nan")], [0, 1, 1], {}])
def test_other_elevations_are_refused(wrong: object) -> None:
    with pytest.raises(DuplexError, match="elevations"):
        trained_elevations({"elevations": wrong})
