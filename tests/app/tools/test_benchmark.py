"""The viewer's benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import moderngl
import numpy as np
import pytest

from builders.viewer import measure_briefly, viewer
from duplex.app.render.backends.names import NAMES
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.tools import benchmark, cli, scaling

pytestmark = pytest.mark.system


@pytest.mark.slow  # the command's own test is its quick sibling
def test_the_benchmark_measures_what_it_says(demo: Bundle) -> None:
    result = json.loads(json.dumps(benchmark.benchmark(demo, (96, 80))))
    assert result["size"] == [96, 80]
    assert set(result["backends"]) == set(NAMES)
    for backend in result["backends"].values():
        assert 0 < backend["frame_ms"]["median"] <= backend["frame_ms"]["p95"]
        assert backend["parity_db"] > 45
        assert set(backend["passes_ms"]) >= {"outer shell", "inner shell", "present"}
        assert all(milliseconds >= 0 for milliseconds in backend["passes_ms"].values())
    assert 0.05 < result["covered_share"] < 0.9
    assert result["macs_per_pixel"] == demo.network.macs_per_pixel
    assert result["shading_gmacs"] > 0 and result["calibration_gmacs"] > 0
    assert "multiply-adds a pixel" in benchmark.text(result)
    panel, fastest = result["panel"], min(backend["frame_ms"]["median"] for backend in result["backends"].values())
    assert 0 < panel["mean_ms"] <= 1.5 * panel["drawn_ms"]
    assert panel["share"] == pytest.approx(panel["mean_ms"] / fastest) and "panel" in benchmark.text(result)


def test_the_fitted_slope_is_the_exponent() -> None:
    assert scaling.slope({10.0: 3.0, 100.0: 30.0, 1000.0: 300.0}) == pytest.approx(1)
    assert scaling.slope({1.0: 5.0, 4.0: 10.0}) == pytest.approx(0.5)


def test_faces_split_in_four_draw_the_same_picture(ctx: moderngl.Context, demo: Bundle) -> None:
    split = scaling._subdivided(demo, 1)
    assert split.faces == 4 * demo.faces
    camera = demo.cameras[0].resized(80, 80)
    first, second = (Renderer(ctx, bundle).image(camera).astype(int) for bundle in (demo, split))
    assert np.abs(first - second).mean() < 0.2


def test_the_command_prints_json(
    demo_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure_briefly(monkeypatch)
    monkeypatch.setattr("sys.argv", ["duplex-viewer", str(demo_file), "--bench", "--size", "48x48", "--json"])
    assert cli.main() == 0
    assert json.loads(capsys.readouterr().out)["backends"]["fragment"]["frame_ms"]["median"] > 0


@pytest.mark.slow
def test_the_benchmark_prints_json(demo_file: Path) -> None:
    result = viewer(demo_file, "--bench", "--size", "48x48", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["backends"]["fragment"]["frame_ms"]["median"] > 0
