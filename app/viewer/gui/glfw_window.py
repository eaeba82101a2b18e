"""The window: a GLFW window with OpenGL 3.3."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from typing import Any

import glfw
from moderngl_window.context.glfw.window import Window

from duplex.app.core.errors import WITHOUT_WINDOW, NoDisplayError
from duplex.app.render.gpu import INSTALL_HINT

DEFAULT_SIZE = 800, 800


def open_window(title: str, size: Sequence[int] | None, fit: bool = False) -> Window:
    """A resizable window with OpenGL 3.3.

    ``size``: width and height, None for 800 x 800 times the system's content scale; ``fit``: no larger than the screen.
    Raises :class:`NoDisplayError` where no window can be opened.
    """
    linux = sys.platform.startswith("linux")
    if linux and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise NoDisplayError(f"no display: run duplex-viewer in a desktop session, {WITHOUT_WINDOW}")
    try:
        window = Window(
            title=title,
            size=_fitting(size or DEFAULT_SIZE) if fit else tuple(size or DEFAULT_SIZE),
            gl_version=(3, 3),
            resizable=True,
            vsync=True,
            aspect_ratio=None,
            fullscreen=False,
            samples=0,
            cursor=True,
            visible=True,
        )
    except Exception as error:  # moderngl-window and glfw raise errors of many types
        raise NoDisplayError(
            f"no window with OpenGL 3.3 could be opened ({error}): {INSTALL_HINT}; {WITHOUT_WINDOW}"
        ) from None
    window.exit_key = None
    made = glfw.get_window_size(window._window)  # the size that was asked for, times the system's content scale
    wanted = _fitting(size or made) if fit else tuple(size or made)
    if wanted != made:
        glfw.set_window_size(window._window, *wanted)
    return window


def _fitting(size: Sequence[int]) -> tuple[int, ...]:
    """``size``, reduced to this screen: it may have been saved on a larger one."""
    screen = glfw.get_primary_monitor() if glfw.init() else None
    if not screen:
        return tuple(size)
    _, _, width, height = glfw.get_monitor_workarea(screen)
    return (min(size[0], width), min(size[1], height)) if min(width, height) > 0 else tuple(size)


def content_scale(window: Any, width: int, pixels: int) -> float:
    """How much larger than at 96 dpi text is drawn, in window coordinates.

    ``width``: of ``window`` in window coordinates; ``pixels``: of its framebuffer.
    """
    scale = max(glfw.get_window_content_scale(window)) * width / max(pixels, 1)
    return float(scale) if math.isfinite(scale) and scale > 0 else 1.0
