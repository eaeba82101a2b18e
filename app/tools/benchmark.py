"""How fast a bundle is drawn here: ``duplex-viewer scene.bundle --bench``.

Everything is measured in one run on one path of cameras, so that ratios mean something on noisy machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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

PATH = 8  # cameras, around the scene
CALIBRATION_SIDE, CALIBRATION_STEPS = 512, 64


def benchmark(bundle: Bundle, size: tuple[int, int]) -> dict[str, Any]:
    """Time every backend that this machine has on pictures of ``size``.

    Returns ``size``, ``driver``, ``timed_by`` (GPU or CPU: what counted the passes), ``backends`` (name:
    ``frame_ms`` with median and p95, ``passes_ms``, ``parity_db``, the worst PSNR against the network in float32, and
    ``shading_gmacs``, giga multiply-adds of covered pixels a second of its shading, ``calibration_gmacs``, those of a
    shader that does nothing else right before and after, ``memory_mb``), ``macs_per_pixel``, ``covered_share``,
    ``calibration_gmacs`` (the most of those),
    ``shading_gmacs`` (of the fastest backend), ``panel`` (:func:`duplex.app.tools.panel_benchmark.panel_cost`).
    """
    ctx = create_headless_context()
    path = scene_orbit(bundle).cameras(PATH, *size)
    backends, reasons = dict[str, dict[str, Any]](), list[str]()
    for name in NAMES:
        try:
            renderer = Renderer(ctx, bundle, name)
        except DuplexError as error:  # not here
            reasons.append(str(error))
            continue
        frames = frame_times(renderer, path)
        before, (passes, timed_by), after = calibrate(ctx), pass_times(renderer, path), calibrate(ctx)
        agreement, covered = zip(*(parity(renderer, camera) for camera in path), strict=True)
        share = float(np.mean(covered))
        macs = bundle.network.macs_per_pixel * share * size[0] * size[1]
        backends[name] = {
            "frame_ms": {"median": float(np.median(frames)), "p95": float(np.percentile(frames, 95))},
            "passes_ms": passes,
            "parity_db": min(agreement),
            "shading_gmacs": macs / sum(ms for label, ms in passes.items() if label.startswith("shading")) / 1e6,
            "calibration_gmacs": 0.5 * (before + after),
            "memory_mb": renderer.gpu_bytes / 1e6,
        }
        if renderer.backend.provider:
            backends[name]["provider"] = renderer.backend.provider
    if not backends:
        raise DuplexError(reasons[0])
    name = min(backends, key=lambda name: backends[name]["frame_ms"]["median"])
    best = backends[name]
    return {
        "size": list(size),
        "driver": describe(ctx),
        "timed_by": timed_by,
        "backends": backends,
        "macs_per_pixel": bundle.network.macs_per_pixel,
        "covered_share": share,
        "calibration_gmacs": max(backend["calibration_gmacs"] for backend in backends.values()),
        "shading_gmacs": best["shading_gmacs"],
        "panel": _panel(Renderer(ctx, bundle, name), path[0], best),
    }


def _panel(renderer: Renderer, camera: Camera, measured: dict[str, Any]) -> dict[str, float] | None:
    renderer.draw(camera)
    try:
        from duplex.app.tools.panel_benchmark import panel_cost  # with Dear ImGui, which nothing else here needs

        return panel_cost(renderer, measured["passes_ms"], measured["frame_ms"]["median"])
    except (DuplexError, ImportError):  # no library that Dear ImGui finds
        return None


def pass_times(renderer: Renderer, path: Sequence[Camera]) -> tuple[dict[str, float], str]:
    """The median milliseconds of each pass along ``path``, and who counted: the GPU, or the CPU without timer queries.

    Where the CPU draws, its threads work on after a timer has stopped, so each pass is waited for.
    """
    if not is_software(renderer.ctx):
        gpu = PassTimers(renderer.ctx)
        counted = dict[str, list[float]]()
        for camera in (*path, *path):
            renderer.draw(camera, FrameOptions(timers=gpu))
            for name, milliseconds in gpu.milliseconds.items():
                counted.setdefault(name, []).append(milliseconds)
        if gpu.counting:
            return {name: float(np.median(times)) for name, times in counted.items()}, "GPU"
    waiting = WaitingTimers(renderer.ctx)
    for camera in (*path, *path):
        renderer.draw(camera, FrameOptions(timers=waiting))
    return {name: float(np.median(times)) for name, times in waiting.all.items()}, "CPU"


def calibrate(ctx: moderngl.Context) -> float:
    """Giga multiply-adds a second that a fragment shader reaches which does nothing else."""
    program = ctx.program(
        vertex_shader=source("screen/fullscreen.vert"),
        fragment_shader=source("network/calibration.frag", steps=CALIBRATION_STEPS),
    )
    program["u_factor"], program["u_term"] = (0.999,) * 4, (1e-3,) * 4
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
    """What :func:`benchmark` found, for people."""
    width, height = result["size"]
    lines = [f"{width} x {height}, {result['driver']}; passes timed by the {result['timed_by']}"]
    for name, backend in result["backends"].items():
        frame, passes = backend["frame_ms"], backend["passes_ms"]
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
