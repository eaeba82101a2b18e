"""Measures of opacity."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.app.core.arrays import Array
from duplex.app.core.images import over
from duplex.baking.evaluation.silhouettes import Silhouettes, distance_to_silhouette, specks


def disc(radius: float, color: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Array:
    """A disc in the middle of 64 x 64 pixels, premultiplied alpha."""
    y, x = np.mgrid[:64, :64] - 31.5
    alpha = (np.hypot(x, y) < radius).astype(np.float32)
    return np.concatenate([alpha[..., None] * np.array(color, np.float32), alpha[..., None]], -1)


def test_an_opaque_white_rim_shows_on_every_background_but_white() -> None:
    meter = Silhouettes()
    meter.add(disc(22), disc(20))
    found = meter.summary()
    wrong = (disc(22) - disc(20))[..., 3]
    assert found["alpha_error"] == pytest.approx(wrong.mean())
    assert found["backgrounds"]["white"] == 120
    assert found["backgrounds"]["black"] == pytest.approx(-10 * np.log10(wrong.mean()), abs=1e-3)
    near = distance_to_silhouette(disc(20)) <= 4
    assert found["boundary_psnr"]["black"] == pytest.approx(-10 * np.log10(wrong[near].mean()), abs=1e-3)
    blue = (2 / 3) * wrong[near].mean()  # red and green differ, blue does not
    assert found["boundary_psnr"]["blue"] == pytest.approx(-10 * np.log10(blue), abs=1e-3)
    assert found["boundary_psnr"]["black"] < found["backgrounds"]["black"] < 120
    assert found["boundary_psnr"]["mean"] == pytest.approx(
        np.mean([found["boundary_psnr"][name] for name in ("white", "black", "grey", "blue")])
    )


def test_the_boundary_is_as_wide_on_either_side() -> None:
    half = np.zeros((9, 32, 4), np.float32)
    half[:, 16:] = 1
    assert list(np.flatnonzero(distance_to_silhouette(half)[4] <= 4)) == list(range(12, 20))
    assert np.isinf(distance_to_silhouette(np.ones((4, 4, 4), np.float32))).all()


def test_without_a_silhouette_there_is_no_boundary() -> None:
    meter = Silhouettes()
    full = np.ones((8, 8, 4), np.float32)
    meter.add(full, full)
    assert meter.summary()["boundary_psnr"] is None
    meter.add(disc(20), disc(20))
    assert meter.summary()["boundary_psnr"]["grey"] == 120


def test_specks_are_opaque_isolated_and_of_some_size() -> None:
    reference = disc(12)
    drawn = reference.copy()
    drawn[2:4, 2:4] = 1  # a speck
    drawn[60, 60:62] = drawn[62, 2:4] = 1  # too small
    drawn[5:9, 50:54] = 0.4  # not opaque
    drawn[30:33, 45:48] = 1  # too near
    assert specks(drawn, reference) == 1
    drawn[61, 62] = drawn[62, 63] = 1  # joined at corners: a second one
    assert specks(drawn, reference) == 2
    assert specks(drawn, np.zeros_like(drawn)) == 4


def test_a_picture_over_a_background() -> None:
    rgba = np.array([[0.25, 0, 0, 0.5]], np.float32)
    assert over(rgba, (0, 1, 0)).tolist() == [[0.25, 0.5, 0]]
