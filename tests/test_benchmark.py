"""What a frame costs: the benchmark, and what a frame must not do."""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest
import torch

from duplex.app.render import backend_selection
from duplex.app.render.backends import compute
from duplex.app.render.backends.fragment import SizedFragmentBackend
from duplex.app.render.backends.names import NAMES
from duplex.app.render.gpu import colors
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.network import NetworkSpec, NetworkWeights, evaluate
from duplex.app.tools import benchmark, scaling
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.distill.shading import ShadingNetwork
from duplex.baking.evaluation.speed import compare_speed


@pytest.mark.parametrize("scale", [1, 2])
def test_the_reference_network_is_that_of_torch(scale: int, random_weights) -> None:
    spec = NetworkSpec.shallow(4, 12, scale)
    weights: NetworkWeights = random_weights(spec)
    inputs = np.random.default_rng(0).standard_normal((spec.inputs, 13, 11)).astype(np.float32)
    with torch.no_grad():
        expected = ShadingNetwork(spec).load(weights)(torch.from_numpy(inputs)[None])[0].numpy()
    assert np.allclose(evaluate(spec, weights, inputs), expected, atol=1e-5)


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


def test_the_ratio_is_that_of_the_times_beside_it(demo: Bundle, octahedron: Path, monkeypatch) -> None:
    monkeypatch.setattr("duplex.baking.evaluation.speed.SECONDS", 0.2)
    result = compare_speed(demo, load_teacher(octahedron), (64, 64))
    fastest = min(backend["frame_ms"]["median"] for backend in result["backends"].values())
    assert result["ratio"] == pytest.approx(1000 * result["teacher"]["seconds_per_frame"] / fastest)
    assert result["teacher"]["rays_timed"] >= 4096 and result["teacher"]["samples"] == [64, 128]


def test_the_fitted_slope_is_the_exponent() -> None:
    assert scaling.slope({10.0: 3.0, 100.0: 30.0, 1000.0: 300.0}) == pytest.approx(1)
    assert scaling.slope({1.0: 5.0, 4.0: 10.0}) == pytest.approx(0.5)


def test_faces_split_in_four_draw_the_same_picture(ctx: moderngl.Context, demo: Bundle) -> None:
    split = scaling._subdivided(demo, 1)
    assert split.faces == 4 * demo.faces
    camera = demo.cameras[0].resized(80, 80)
    first, second = (Renderer(ctx, bundle).image(camera).astype(int) for bundle in (demo, split))
    assert np.abs(first - second).mean() < 0.2


@pytest.mark.parametrize("backend", NAMES)
def test_garbage_beside_the_scene_reaches_no_picture(ctx: moderngl.Context, demo: Bundle, backend: str) -> None:
    renderer, camera = Renderer(ctx, demo, backend), demo.cameras[0].resized(90, 70)
    clean = renderer.image(camera)
    targets = renderer._targets.at((90, 70))
    shaded = targets.backend
    if isinstance(shaded, SizedFragmentBackend):
        textures = [texture for group in shaded.targets for texture in colors(*group)]
    else:
        textures = [t for x in shaded.textures for t in (x if isinstance(x, list) else [x])]
    assert textures
    for texture in [*colors(targets.inputs), *textures]:
        texture.write(np.full((texture.height, texture.width, 4), np.nan, np.float16).tobytes())
    assert np.array_equal(renderer.image(camera), clean)


@pytest.mark.parametrize("backend", NAMES)
def test_a_frame_makes_no_gl_object_and_no_array_of_a_picture(
    ctx: moderngl.Context, demo: Bundle, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer = Renderer(ctx, demo, backend)
    cameras = [camera.resized(400, 300) for camera in demo.cameras[:4]]
    for camera in cameras:
        renderer.draw(camera)
    made: list[str] = []
    makers = [name for name in dir(moderngl.Context) if name in MAKERS]
    assert set(makers) == set(MAKERS)
    for name in makers:
        original = getattr(moderngl.Context, name)

        def counted(*arguments, _name=name, _original=original, **settings):
            made.append(_name)
            return _original(*arguments, **settings)

        monkeypatch.setattr(moderngl.Context, name, counted)
    ctx.texture((1, 1), 4)
    assert made == ["texture"]  # so they would be counted
    tracemalloc.start()
    try:
        for camera in cameras * 5:
            renderer.draw(camera)
        ctx.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made == ["texture"]
    assert peak < 400 * 300  # not a byte for each pixel


def test_more_tiles_than_a_row_of_work_groups_has_are_all_shaded(
    ctx: moderngl.Context, demo: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = demo.cameras[0].resized(160, 160)
    expected = Renderer(ctx, demo, "compute").image(camera)
    for row in (1, 7, 16):
        monkeypatch.setattr(compute, "ROW", row)
        assert np.array_equal(Renderer(ctx, demo, "compute").image(camera), expected)


@pytest.mark.parametrize("backend", ["fragment", "compute"])
def test_ten_thousand_frames_leave_memory_where_it_was(ctx: moderngl.Context, demo: Bundle, backend: str) -> None:
    status = Path("/proc/self/statm")
    if not status.exists():
        pytest.skip("SKIPPED: no /proc here to read this program's memory from")
    shells = [replace(shell, faces=shell.faces[::50]) for shell in (demo.outer, demo.inner)]  # for quick frames
    renderer = Renderer(ctx, replace(demo, outer=shells[0], inner=shells[1]), backend)
    cameras = [camera.resized(40, 30) for camera in demo.cameras]

    def resident(frames: int) -> int:
        for frame in range(frames):
            renderer.draw(cameras[frame % len(cameras)])
        ctx.finish()
        gc.collect()
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident(1000)
    assert resident(10_000) - before < 4e6  # a forgotten target of 40 x 30 pixels a frame would be 96 MB


MAKERS = (
    "texture", "texture_array", "depth_texture", "framebuffer", "simple_framebuffer", "buffer", "program",
    "vertex_array", "query", "renderbuffer", "sampler", "compute_shader",
)  # fmt: skip


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
