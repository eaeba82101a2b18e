"""How fast a bundle is drawn here: ``duplex-viewer scene.bundle --bench``.

Everything is measured in one run on one path of cameras, so that ratios mean something on noisy machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.app.render.backends.names import NAMES
from duplex.app.render.gpu import PassTimers, WaitingTimers, create_headless_context, describe, is_software
from duplex.app.render.readback import network_inputs
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle, BundleShell
from duplex.app.scene.camera import Camera
from duplex.app.scene.network import NetworkSpec, NetworkWeights, evaluate
from duplex.app.tools.screenshots import scene_orbit
from duplex.shaders import source

PATH = 8  # cameras, around the scene
FRAMES, SECONDS = 240, 10.0  # of a backend at most, whichever ends first, and every camera at least once
MIN_PARITY = 45.0  # dB; a backend that draws worse is not taken
CHOICE_FRAMES, CHOICE_SIZE = 3, (160, 120)
CHOICE_GAIN = 0.9  # of the time: less is not worth a change
CALIBRATION_SIDE, CALIBRATION_STEPS = 512, 64
SIDES = (200, 400, 800, 1600)
SUBDIVISIONS = (0, 1, 2)
WIDTHS = (8, 16, 24, 32)


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
        if provider := getattr(renderer.shading, "provider", ""):
            backends[name]["provider"] = provider
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


def frame_times(renderer: Renderer, path: Sequence[Camera], frames: int = FRAMES, seconds: float = SECONDS) -> Array:
    """Milliseconds of frames along ``path``, each finished before the next; one turn warms up."""
    for camera in path:
        renderer.draw(camera)
    renderer.ctx.finish()
    times: list[float] = []
    while len(times) < len(path) or (len(times) < frames and sum(times) < 1000 * seconds):
        started = time.perf_counter()
        renderer.draw(path[len(times) % len(path)])
        renderer.ctx.finish()
        times.append(1000 * (time.perf_counter() - started))
    return np.array(times)


def pass_times(renderer: Renderer, path: Sequence[Camera]) -> tuple[dict[str, float], str]:
    """The median milliseconds of each pass along ``path``, and who counted: the GPU, or the CPU where no timer is.

    Where the CPU draws, its threads work on after a timer has stopped, so it is waited for.
    """
    kept, counted = renderer.timers, dict[str, list[float]]()
    try:
        if not is_software(renderer.ctx):
            renderer.timers = gpu = PassTimers(renderer.ctx)
            for camera in (*path, *path):
                renderer.draw(camera)
                for name, milliseconds in gpu.milliseconds.items():
                    counted.setdefault(name, []).append(milliseconds)
            if gpu.counting:
                return {name: float(np.median(times)) for name, times in counted.items()}, "GPU"
        renderer.timers = waiting = WaitingTimers(renderer.ctx)
        for camera in (*path, *path):
            renderer.draw(camera)
        return {name: float(np.median(times)) for name, times in waiting.all.items()}, "CPU"
    finally:
        renderer.timers = kept


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


def scaling(bundle: Bundle) -> dict[str, Any]:
    """Median frame times over resolutions, face counts and network widths, each with the slope of its logarithms.

    Faces are split in four, which leaves the picture as it is; networks of other widths have random weights.
    """
    ctx = create_headless_context()

    def milliseconds(scene: Bundle, side: int) -> float:
        path = scene_orbit(scene).cameras(PATH, side, side)
        return float(np.median(frame_times(Renderer(ctx, scene), path, frames=2 * PATH, seconds=2.0)))

    tables: dict[str, dict[float, float]] = {
        "pixels": {side * side: milliseconds(bundle, side) for side in SIDES},
        "faces": {scene.faces: milliseconds(scene, 800) for scene in (_subdivided(bundle, n) for n in SUBDIVISIONS)},
        "macs_per_pixel": {
            scene.network.macs_per_pixel: milliseconds(scene, 800) for scene in (_widened(bundle, w) for w in WIDTHS)
        },
    }
    return {name: {"frame_ms": table, "slope": slope(table)} for name, table in tables.items()}


def slope(table: dict[float, float]) -> float:
    """The exponent of the power law that fits ``table``, cost by size, best: 1 where cost grows in proportion."""
    sizes, costs = np.log(np.array(list(table))), np.log(np.array(list(table.values())))
    return float(np.polyfit(sizes, costs, 1)[0])


def parity(renderer: Renderer, camera: Camera) -> tuple[float, float]:
    """The PSNR in dB of a picture against the network in float32 on the same inputs, and the covered share."""
    scale = renderer.bundle.network.channels_to_space
    drawn = renderer.image(camera, (0.0, 0.0, 0.0, 0.0)).astype(np.float32) / 255
    inputs, mask = network_inputs(renderer, camera)
    rgba = evaluate(renderer.bundle.network, renderer.bundle.weights, inputs)
    alpha = rgba[3] * mask.repeat(scale, 0).repeat(scale, 1)
    wanted = np.stack([*(rgba[:3] * alpha), alpha], -1)[-camera.height :, : camera.width]
    return psnr(drawn, wanted), float(mask.mean())


def fastest(first: Renderer, camera: Camera) -> Renderer:
    """``first``, or a renderer with another backend that draws ``camera`` faster and as it should."""
    small = camera.resized(*CHOICE_SIZE)
    sound = parity(first, small)[0] > MIN_PARITY
    best, least = first, float(np.median(frame_times(first, [camera], CHOICE_FRAMES))) if sound else np.inf
    for name in NAMES:
        if name == first.shading.name:
            continue
        try:
            other = Renderer(first.ctx, first.bundle, name)
            times, (decibels, _) = frame_times(other, [camera], CHOICE_FRAMES), parity(other, small)
        except DuplexError:  # not here
            continue
        if decibels > MIN_PARITY and np.median(times) < CHOICE_GAIN * least:
            best, least = other, float(np.median(times))
        del other  # before the next one is made
    return best


def _subdivided(bundle: Bundle, times: int) -> Bundle:
    for _ in range(times):
        bundle = replace(bundle, outer=_split_in_four(bundle.outer), inner=_split_in_four(bundle.inner))
    return bundle


def _split_in_four(shell: BundleShell) -> BundleShell:
    edges = np.sort(shell.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
    edges, of_face = np.unique(edges, axis=0, return_inverse=True)
    a, b, c = shell.faces.T
    ab, bc, ca = (len(shell.positions) + of_face.reshape(-1, 3)).T
    faces = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 1).reshape(-1, 3)

    def with_middles(values: Array) -> Array:
        return np.concatenate([values, values[edges].mean(1, dtype=np.float32)])

    return replace(
        shell, positions=with_middles(shell.positions), uvs=with_middles(shell.uvs), faces=faces.astype(np.int32)
    )


def _widened(bundle: Bundle, width: int) -> Bundle:
    rng, spec = np.random.default_rng(0), NetworkSpec.shallow(bundle.network.feature_channels, width)
    shapes = [(x.outputs, x.inputs, x.kernel, x.kernel) for x in spec.layers]
    weights = [(rng.standard_normal(s) * (s[1] * s[2] ** 2) ** -0.5).astype(np.float32) for s in shapes]
    weights[0] *= spec.taps()
    biases = tuple(np.zeros(s[0], np.float32) for s in shapes)
    return replace(bundle, network=spec, weights=NetworkWeights(tuple(weights), biases))


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


def scaling_text(tables: dict[str, Any]) -> str:
    """What :func:`scaling` found, for people."""
    lines = []
    for name, entry in tables.items():
        lines.append(f"{name.replace('_', ' ')}: frame time grows with its power of {entry['slope']:.2f}")
        lines += [f"  {size:12,.0f}  {milliseconds:8.2f} ms" for size, milliseconds in entry["frame_ms"].items()]
    return "\n".join(lines)
