"""What is found out about a frame once it is drawn."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest

from duplex.app.render.readback import nan_warning
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle, write_bundle
from duplex.app.scene.network import NetworkWeights


def without_numbers(bundle: Bundle) -> Bundle:
    """Weights that are sound by themselves, but the last layer's products are infinite, and their sums no numbers."""
    *others, before, last = bundle.weights.weights
    weights = (*others, 1000 * before, (np.sign(last) * 3e38).astype(np.float32))
    return replace(bundle, weights=NetworkWeights(weights, bundle.weights.biases))


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


def test_the_command_line_warns(demo: Bundle, tmp_path: Path) -> None:
    (tmp_path / "scene.bundle").write_bytes(write_bundle(without_numbers(demo)))
    code = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"
    arguments = ["scene.bundle", "--screenshot", "x.png", "--size", "64x48", "--backend", "fragment"]
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0 and (tmp_path / "x.png").exists()
    assert result.stderr.startswith("warning: ") and "NaN" in result.stderr and result.stderr.count("\n") == 1
