"""The ratio of two speeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.viewer import measure_briefly
from duplex.app.scene.bundle import Bundle
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.evaluation.speed import compare_speed

pytestmark = pytest.mark.system


def test_the_ratio_is_that_of_the_times_beside_it(demo: Bundle, octahedron: Path, monkeypatch) -> None:
    monkeypatch.setattr("duplex.baking.evaluation.speed.SECONDS", 0.2)
    measure_briefly(monkeypatch)
    result = compare_speed(demo, load_teacher(octahedron), (64, 64))
    fastest = min(backend["frame_ms"]["median"] for backend in result["backends"].values())
    assert result["ratio"] == pytest.approx(1000 * result["teacher"]["seconds_per_frame"] / fastest)
    assert result["teacher"]["rays_timed"] >= 4096 and result["teacher"]["samples"] == [64, 128]
