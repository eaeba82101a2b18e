"""Steadiness along a camera path."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.baking.evaluation.motion import paths, steadiness
from duplex.baking.rig import Rig

UP = np.array([0.0, 0, 1])


def moving(count: int = 8) -> list[np.ndarray]:
    """A soft stripe that moves by the same step from frame to frame."""
    x = np.arange(32)
    row = [np.exp(-((x - 6 - 2 * i) ** 2) / 20) for i in range(count)]
    return [np.broadcast_to(r[None, :, None], (16, 32, 3)).astype(np.float32) for r in row]


def test_an_error_that_stands_still_is_steady() -> None:
    wanted = moving()
    found = steadiness([(frame + np.float32(0.2), frame) for frame in wanted])
    assert found.psnr > 100 and found.worst > 100
    assert found.jump == pytest.approx(found.teacher_jump) and found.jump < 1.3


def test_a_pop_is_found_where_it_is() -> None:
    wanted = moving()
    drawn = [frame.copy() for frame in wanted]
    for frame in drawn[5:]:
        frame[:8] += 0.5  # from here on half of the picture is brighter
    found = steadiness(zip(drawn, wanted, strict=True))
    assert found.worst == pytest.approx(-10 * np.log10(0.125), abs=1e-3)
    assert found.psnr == pytest.approx(-10 * np.log10(0.125 / 7), abs=1e-3)
    assert found.jump > 2 * found.teacher_jump


def test_shimmer_counts_though_it_never_jumps() -> None:
    wanted = moving()
    drawn = [frame + np.float32(0.1 * (-1) ** i) for i, frame in enumerate(wanted)]
    assert steadiness(zip(drawn, wanted, strict=True)).psnr == pytest.approx(-20 * np.log10(0.2), abs=1e-2)


def test_paths_take_small_steps() -> None:
    rig = Rig(np.array([1.0, 2, 3]), 4.0, UP, True)
    for name, cameras in paths(rig, 6, 32).items():
        eyes = np.stack([camera.position for camera in cameras]) - rig.center
        steps = np.linalg.norm(np.diff(eyes, axis=0), axis=1)
        assert (steps > 0.01).all() and (steps < 0.2).all(), name
        distances = np.linalg.norm(eyes, axis=1)
        assert np.allclose(distances, 4) if name == "orbit" else (np.diff(distances) < 0).all()
