"""What is found out about a frame once it is drawn."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest

from builders.bundles import without_numbers
from duplex.app.render.readback import nan_warning
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle


@pytest.mark.parametrize("backend", ["fragment", "compute"])  # ONNX Runtime makes numbers of them
def test_pixels_without_numbers_are_told(ctx: moderngl.Context, demo: Bundle, backend: str) -> None:
    camera = demo.cameras[0].resized(70, 50)
    assert nan_warning(Renderer(ctx, demo, backend), camera) == ""
    words = nan_warning(Renderer(ctx, without_numbers(demo), backend), camera)
    assert backend in words and "NaN" in words and "--backend" in words
    assert 0.2 < float(words.split("%")[0]) / 100 <= 1


def test_a_scene_out_of_view_is_no_nan_warning(ctx: moderngl.Context, demo: Bundle) -> None:
    turned = demo.cameras[0].camera_to_world @ np.diag([-1.0, 1, -1, 1])
    camera = replace(demo.cameras[0].resized(40, 30), camera_to_world=turned)
    assert nan_warning(Renderer(ctx, without_numbers(demo)), camera) == ""
