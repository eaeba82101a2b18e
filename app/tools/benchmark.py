"""Benchmark of a bundle on this machine: ``duplex-viewer scene.bundle --bench``.

One run measures everything on one camera path, so that ratios are meaningful on noisy machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np

from duplex.app.core.errors import DuplexError
from duplex.app.render.backend_selection import frame_times, parity
from duplex.app.render.backends.names import NAMES
from duplex.app.render.frame import FrameOptions
from duplex.app.render.gpu import create_headless_context, describe, is_software
from duplex.app.render.renderer import Renderer
from duplex.app.render.timers import PassTimers, WaitingTimers
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.orbits import scene_orbit
from duplex.shaders import source

PATH = 8  # cameras around the scene
CALIBRATION_SIDE = 512  # pixels
CALIBRATION_STEPS = 64  # iterations of 64 multiply-adds


@dataclass(frozen=True)
class PassTimes:
    """Median time of each pass in milliseconds, by name; ``timed_by``: ``"GPU"`` or ``"CPU"``."""

    milliseconds: dict[str, float]
    timed_by: str


@dataclass(frozen=True)
class BackendResult:
    """Measurement of one backend: its entry in the result of :func:`benchmark`, and values of the whole benchmark.

    ``timed_by``: as in :class:`PassTimes`; ``covered_share``: fraction of covered pixels in [0, 1].
    """

    entry: dict[str, Any]
    timed_by: str
    covered_share: float


def benchmark(bundle: Bundle, size: tuple[int, int]) -> dict[str, Any]:
    """Measure every backend that this machine has, on images of ``size``, width and height in pixels.

    Returns a JSON object:

    * ``size``, ``driver``; ``timed_by``: ``"GPU"`` or ``"CPU"``, the clock of the pass times.
    * ``backends``: name to an object with ``frame_ms`` (``median`` and ``p95``), ``passes_ms``, ``parity_db`` (worst
      PSNR against the numpy network), ``shading_gmacs`` (1e9 multiply-adds per second of the network on covered
      pixels), ``calibration_gmacs`` (those of a shader with multiply-adds only, before and after), ``memory_mb`` and,
      for ONNX, ``provider``.
    * ``macs_per_pixel``, ``covered_share``: of the network and of the images.
    * ``calibration_gmacs``: maximum over the backends; ``shading_gmacs``: of the fastest backend.
    * ``panel``: :func:`duplex.app.tools.panel_benchmark.panel_cost`, or None.

    Raises :class:`DuplexError` if no backend is available.
    """
    ctx = create_headless_context()
    path = scene_orbit(bundle).cameras(PATH, *size)
    results = _measure_backends(ctx, bundle, path)
    backends = {name: result.entry for name, result in results.items()}
    fastest = min(backends, key=lambda name: backends[name]["frame_ms"]["median"])
    last = list(results.values())[-1]
    return {
        "size": list(size),
        "driver": describe(ctx),
        "timed_by": last.timed_by,
        "backends": backends,
        "macs_per_pixel": bundle.network.macs_per_pixel,
        "covered_share": last.covered_share,
        "calibration_gmacs": max(backend["calibration_gmacs"] for backend in backends.values()),
        "shading_gmacs": backends[fastest]["shading_gmacs"],
        "panel": _panel(Renderer(ctx, bundle, fastest), path[0], backends[fastest]),
    }


def _measure_backends(ctx: moderngl.Context, bundle: Bundle, path: Sequence[Camera]) -> dict[str, BackendResult]:
    results: dict[str, BackendResult] = {}
    reasons: list[str] = []
    for name in NAMES:
        try:
            renderer = Renderer(ctx, bundle, name)
        except DuplexError as error:  # the backend is not available
            reasons.append(str(error))
            continue
        results[name] = _measure(renderer, path)
    if not results:
        raise DuplexError(reasons[0])
    return results


def _measure(renderer: Renderer, path: Sequence[Camera]) -> BackendResult:
    frames = frame_times(renderer, path)
    before = calibrate(renderer.ctx)
    passes = pass_times(renderer, path)
    after = calibrate(renderer.ctx)
    agreement, covered = zip(*(parity(renderer, camera) for camera in path), strict=True)
    share = float(np.mean(covered))
    macs = renderer.bundle.network.macs_per_pixel * share * path[0].width * path[0].height
    shading = sum(ms for label, ms in passes.milliseconds.items() if label.startswith("shading"))
    entry = {
        "frame_ms": {"median": float(np.median(frames)), "p95": float(np.percentile(frames, 95))},
        "passes_ms": passes.milliseconds,
        "parity_db": min(agreement),
        "shading_gmacs": macs / shading / 1e6,
        "calibration_gmacs": 0.5 * (before + after),
        "memory_mb": renderer.gpu_bytes / 1e6,
    }
    if renderer.backend.provider:
        entry["provider"] = renderer.backend.provider
    return BackendResult(entry, passes.timed_by, share)


def _panel(renderer: Renderer, camera: Camera, measured: dict[str, Any]) -> dict[str, float] | None:
    """Cost of the window's panel beside the backend of ``measured``; None if Dear ImGui cannot be loaded."""
    renderer.draw(camera)
    try:
        from duplex.app.tools.panel_benchmark import panel_cost  # imports Dear ImGui

        return panel_cost(renderer, measured["passes_ms"], measured["frame_ms"]["median"])
    except (DuplexError, ImportError):  # a system library of Dear ImGui is missing
        return None


def pass_times(renderer: Renderer, path: Sequence[Camera]) -> PassTimes:
    """Median time of each pass along ``path``, with GPU timer queries if the driver has them, else on the CPU.

    A software renderer continues in other threads after a timer query ends, so the CPU clock waits for each pass.
    """
    if not is_software(renderer.ctx):
        gpu = PassTimers(renderer.ctx)
        measured: dict[str, list[float]] = {}
        for camera in (*path, *path):
            renderer.draw(camera, FrameOptions(timers=gpu))
            for name, milliseconds in gpu.milliseconds.items():
                measured.setdefault(name, []).append(milliseconds)
        if gpu.counting:
            return PassTimes(_medians(measured), "GPU")
    waiting = WaitingTimers(renderer.ctx)
    for camera in (*path, *path):
        renderer.draw(camera, FrameOptions(timers=waiting))
    return PassTimes(_medians(waiting.all), "CPU")


def _medians(times: dict[str, list[float]]) -> dict[str, float]:
    return {name: float(np.median(values)) for name, values in times.items()}


def calibrate(ctx: moderngl.Context) -> float:
    """Peak rate of a fragment shader with multiply-adds only, in 1e9 multiply-adds per second."""
    program = ctx.program(
        vertex_shader=source("screen/fullscreen.vert"),
        fragment_shader=source("network/calibration.frag", steps=CALIBRATION_STEPS),
    )
    program["u_factor"] = (0.999,) * 4
    program["u_term"] = (1e-3,) * 4
    triangle = ctx.vertex_array(program, [])
    out = ctx.framebuffer([ctx.texture((CALIBRATION_SIDE,) * 2, 4, dtype="f2")])
    out.use()
    ctx.enable_only(moderngl.NOTHING)

    def draw() -> None:
        triangle.render(moderngl.TRIANGLES, vertices=3)
        ctx.finish()

    macs = CALIBRATION_SIDE**2 * CALIBRATION_STEPS * 64
    return macs / min(_seconds(draw) for _ in range(8)) / 1e9


def _seconds(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def text(result: dict[str, Any]) -> str:
    """The result of :func:`benchmark` as a readable report."""
    width, height = result["size"]
    lines = [f"{width} x {height}, {result['driver']}; passes timed by the {result['timed_by']}"]
    for name, backend in result["backends"].items():
        frame = backend["frame_ms"]
        passes = backend["passes_ms"]
        share = backend["shading_gmacs"] / backend["calibration_gmacs"]
        lines.append(
            f"{name}: {frame['median']:.2f} ms a frame ({1000 / frame['median']:.1f} a second), 95% within "
            f"{frame['p95']:.2f} ms; {backend['parity_db']:.1f} dB from float32; {backend['memory_mb']:.0f} MB"
            + (f"; {backend['provider']}" if "provider" in backend else "")
        )
        lines.append("  " + "  ".join(f"{label} {milliseconds:.2f}" for label, milliseconds in passes.items()))
        lines.append(
            f"  shading: {backend['shading_gmacs']:.2f} billion multiply-adds a second, {100 * share:.0f}% of what a "
            "shader reaches that does nothing else"
        )
    lines.append(
        f"{result['macs_per_pixel']:.0f} multiply-adds a pixel, {100 * result['covered_share']:.1f}% of the picture "
        f"covered; a shader that does nothing else: {result['calibration_gmacs']:.2f} billion a second"
    )
    if panel := result["panel"]:
        lines.append(
            f"the window's panel: {panel['mean_ms']:.2f} ms a frame, {100 * panel['share']:.1f}% of the scene's; "
            f"{panel['drawn_ms']:.2f} ms where it is drawn anew"
        )
    return "\n".join(lines)
