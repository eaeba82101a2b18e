"""``duplex-viewer --doctor``: report of the capabilities of this machine, with remedies for what is missing."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

import moderngl

from duplex.app.core.errors import DuplexError
from duplex.app.core.package import installing_extra
from duplex.app.render.backend_selection import MIN_PARITY, parity
from duplex.app.render.backends.names import NAMES
from duplex.app.render.frame import FrameOptions
from duplex.app.render.gpu import create_headless_context, describe, is_software
from duplex.app.render.renderer import Renderer
from duplex.app.render.timers import PassTimers
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.orbits import scene_orbit

PACKAGES = ("moderngl", "glcontext", "moderngl-window", "glfw", "imgui-bundle", "pyglm", "numpy", "onnxruntime")
LIMITS = (
    "GL_MAX_TEXTURE_SIZE",
    "GL_MAX_DRAW_BUFFERS",
    "GL_MAX_FRAGMENT_UNIFORM_COMPONENTS",
    "GL_MAX_TEXTURE_IMAGE_UNITS",
)
SIZE = (200, 150)  # of the test image, pixels


def examine(bundle: Bundle) -> tuple[dict[str, str], bool]:
    """What is found, by what it is about, and whether the fragment backend can draw ``bundle`` on this machine.

    A value of several lines has remedies behind the first.
    """
    found = {
        "system": f"{platform.platform()}, Python {platform.python_version()}",
        "packages": ", ".join(_version(name) for name in PACKAGES),
        "display": _display(),
    }
    try:
        ctx = create_headless_context()
    except DuplexError as error:
        return found | {"OpenGL": str(error)}, False
    driver = [f"{describe(ctx)}, {ctx.info.get('GL_VENDOR', 'unknown vendor')}"]
    if is_software(ctx):
        driver.append("no graphics card: the CPU draws; with one, install its driver")
    if ctx.version_code < 430:
        driver.append(f"OpenGL {ctx.version_code / 100:.1f}: no compute shaders, which need 4.3")
    found["OpenGL"] = "\n".join(driver)
    found["limits"] = ", ".join(f"{name[7:].lower()} {ctx.info.get(name, '?')}" for name in LIMITS)
    found["timers"] = _timers(ctx, bundle)
    found["ONNX"] = _providers()
    works = {name: _backend(ctx, bundle, name) for name in NAMES}
    return found | {name: text for name, (text, _) in works.items()}, works[NAMES[0]][1]


def report_text(found: dict[str, str]) -> str:
    """What :func:`examine` found, a line or more each."""
    return "\n".join(f"{name:11}" + text.replace("\n", "\n" + " " * 11) for name, text in found.items())


def _version(name: str) -> str:
    for variant in (name, f"{name}-gpu"):
        try:
            return f"{variant} {metadata.version(variant)}"
        except metadata.PackageNotFoundError:
            continue
    return f"{name} missing"


def _display() -> str:
    if not sys.platform.startswith("linux"):
        return "the system's own"
    displays = [f"{name}={os.environ[name]}" for name in ("WAYLAND_DISPLAY", "DISPLAY") if os.environ.get(name)]
    return ", ".join(displays) or "none: no window can be opened, but --screenshot, --turntable and --render work"


def _timers(ctx: moderngl.Context, bundle: Bundle) -> str:
    try:
        renderer = Renderer(ctx, bundle)
        timers = PassTimers(ctx)
        for _ in range(PassTimers.RING + 1):
            renderer.draw(scene_orbit(bundle).camera(0, *SIZE), FrameOptions(timers=timers))
    except DuplexError as error:
        return str(error)
    return "GPU time of each pass" if any(timers.milliseconds.values()) else "none: only whole frames can be timed"


def _providers() -> str:
    try:
        import onnxruntime
    except ImportError:
        return f"not installed: {installing_extra('onnx')}"
    return ", ".join(onnxruntime.get_available_providers())


def _backend(ctx: moderngl.Context, bundle: Bundle, name: str) -> tuple[str, bool]:
    try:
        renderer = Renderer(ctx, bundle, name)
        decibels = min(parity(renderer, camera)[0] for camera in scene_orbit(bundle).cameras(2, *SIZE))
    except DuplexError as error:
        return str(error), False
    provider = renderer.backend.provider
    if not decibels >= MIN_PARITY:
        return f"draws wrong: {decibels:.1f} dB against float32, expected {MIN_PARITY:.0f}: try a newer driver", False
    return f"works{', ' + provider if provider else ''}, {decibels:.1f} dB against float32", True
