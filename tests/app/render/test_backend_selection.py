"""Which backend is chosen."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest

from duplex.app.render import backend_selection
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle


@pytest.mark.parametrize(
    ("others", "decibels", "chosen"),
    [((1.0, 9.0), 60.0, "compute"), ((9.5, 9.5), 60.0, "fragment"), ((1.0, 1.0), 30.0, "fragment"),
     ((8.0, 5.0), 60.0, "onnx")],
)  # fmt: skip
def test_the_fastest_backend_that_draws_right_is_taken(
    ctx: moderngl.Context, demo: Bundle, monkeypatch, others: tuple[float, float], decibels: float, chosen: str
) -> None:
    times = {"fragment": 10.0, "compute": others[0], "onnx": others[1]}
    monkeypatch.setattr(backend_selection, "frame_times", lambda drawn, *_: np.array([times[drawn.backend.name]]))
    monkeypatch.setattr(backend_selection, "parity", lambda *_: (decibels, 0.3))
    camera = demo.cameras[0].resized(64, 64)
    assert backend_selection.fastest(Renderer(ctx, demo), camera).backend.name == chosen


def test_a_backend_that_draws_wrong_is_left_for_a_slower_one(
    ctx: moderngl.Context, demo: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, decibels = {"fragment": 1.0, "compute": 9.0, "onnx": 5.0}, {"fragment": 20.0, "compute": 60.0, "onnx": 30.0}
    monkeypatch.setattr(backend_selection, "frame_times", lambda drawn, *_: np.array([times[drawn.backend.name]]))
    monkeypatch.setattr(backend_selection, "parity", lambda renderer, _: (decibels[renderer.backend.name], 0.3))
    camera = demo.cameras[0].resized(64, 64)
    assert backend_selection.fastest(Renderer(ctx, demo), camera).backend.name == "compute"
