"""Resolution while the camera moves."""

from __future__ import annotations

from duplex.app.viewer.painting.dynamic_resolution import SCALES, STILL_SECONDS, DynamicResolution


def moved(resolution: DynamicResolution, full_ms: float, frames: int = 12) -> list[float]:
    """The scales of frames that cost ``full_ms`` in full and in proportion to their pixels."""
    scales = [1.0]
    for _ in range(frames):
        scales.append(resolution.scale(full_ms * scales[-1] ** 2, 0.02, moving=True))
    return scales


def test_a_quick_scene_is_drawn_in_full() -> None:
    assert set(moved(DynamicResolution(), 10)) == {1.0}


def test_a_slow_scene_keeps_its_rate_and_does_not_flicker() -> None:
    for full_ms in (40, 60, 100, 200, 400):
        resolution = DynamicResolution()
        scales = moved(resolution, full_ms)
        assert len(set(scales[-6:])) == 1, scales
        assert full_ms * scales[-1] ** 2 <= 1.15 * resolution.wanted
        assert full_ms * scales[-2] ** 2 * 2 > 0.9 * resolution.wanted  # and no coarser than need be


def test_the_coarsest_step_is_the_end() -> None:
    assert moved(DynamicResolution(), 1e5)[-1] == SCALES[-1]


def test_a_resting_camera_is_drawn_in_full_and_the_next_movement_begins_where_it_was() -> None:
    resolution = DynamicResolution()
    coarse = moved(resolution, 100)[-1]
    assert coarse < 1
    assert resolution.scale(25, STILL_SECONDS / 2, moving=False) == coarse
    assert resolution.scale(25, STILL_SECONDS, moving=False) == 1
    assert resolution.scale(100, 0.1, moving=True) == coarse  # the frame in full says nothing about this one
