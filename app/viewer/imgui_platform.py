"""The window itself, and Dear ImGui in it: its own OpenGL backend draws, we hand it the window's events."""

from __future__ import annotations

import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import glfw  # before imgui_bundle, which would point it at its own copy of the library
from imgui_bundle import imgui, implot
from moderngl_window.context.glfw.window import Window

from duplex.app.core.errors import WITHOUT_WINDOW, DuplexError, NoDisplayError
from duplex.app.render.gpu import INSTALL_HINT
from duplex.app.viewer.theme import Theme

DEFAULT_SIZE = 800, 800
ANY_WINDOW: Any = None  # GLFW has one clipboard, and no longer asks whose
OUTSIDE = 3.4028235e38  # the largest float: what Dear ImGui takes for no mouse at all
NAMED_KEYS = {
    "TAB": "tab",
    "LEFT": "left_arrow",
    "RIGHT": "right_arrow",
    "UP": "up_arrow",
    "DOWN": "down_arrow",
    "HOME": "home",
    "END": "end",
    "DELETE": "delete",
    "BACKSPACE": "backspace",
    "ENTER": "enter",
    "KP_ENTER": "keypad_enter",
    "ESCAPE": "escape",
    "SPACE": "space",
    "PAGE_UP": "page_up",
    "PAGE_DOWN": "page_down",
    "MINUS": "minus",
    "PERIOD": "period",
}
MODIFIERS = {
    "shift": imgui.Key.mod_shift,
    "ctrl": imgui.Key.mod_ctrl,
    "alt": imgui.Key.mod_alt,
    "command": imgui.Key.mod_super,
}


def _key_map() -> dict[int, imgui.Key]:
    keys = {getattr(glfw, f"KEY_{name}"): getattr(imgui.Key, key) for name, key in NAMED_KEYS.items()}
    keys |= {getattr(glfw, f"KEY_{c.upper()}"): getattr(imgui.Key, c) for c in "abcdefghijklmnopqrstuvwxyz"}
    return keys | {getattr(glfw, f"KEY_{d}"): getattr(imgui.Key, f"_{d}") for d in range(10)}


class Ui:
    """One ImGui context on the current OpenGL context, with the system's clipboard."""

    def __init__(self) -> None:
        imgui.create_context()
        platform = imgui.get_platform_io()
        platform.platform_get_clipboard_text_fn = lambda _: clipboard()
        platform.platform_set_clipboard_text_fn = lambda _, text: copy(text)
        implot.create_context()
        self.io = imgui.get_io()
        self.io.set_ini_filename("")
        self.theme, self.begun = Theme(), time.perf_counter()
        if not imgui.backends.opengl3_init("#version 330"):
            raise DuplexError(f"Dear ImGui finds no OpenGL 3.3 to draw the panel with: {INSTALL_HINT}")
        self.keys = _key_map()
        self.left = 0.0  # what of the window belongs to a panel
        self.touched: Callable[[], None] = lambda: None  # called when something comes in

    @property
    def in_use(self) -> bool:
        """Whether a widget is under the mouse, being used, or open."""
        popups = imgui.PopupFlags_.any_popup_id | imgui.PopupFlags_.any_popup_level
        return self.io.want_capture_mouse or imgui.is_any_item_active() or imgui.is_popup_open("", popups)

    def begin(self, size: tuple[int, int], buffer_size: tuple[int, int], scale: float) -> None:
        """Start a frame: window and framebuffer size in their pixels, content scale."""
        self.io.display_size = imgui.ImVec2(*(float(x) for x in size))
        self.io.display_framebuffer_scale = imgui.ImVec2(
            *(b / max(s, 1) for b, s in zip(buffer_size, size, strict=True))
        )
        now = time.perf_counter()
        self.io.delta_time, self.begun = max(now - self.begun, 1e-4), now
        self.theme.scale_to(scale)
        imgui.backends.opengl3_new_frame()
        imgui.new_frame()

    def end(self) -> None:
        """Draw what was declared since :meth:`begin` into the bound framebuffer."""
        imgui.render()
        imgui.backends.opengl3_render_draw_data(imgui.get_draw_data())

    def close(self) -> None:
        """Free everything."""
        imgui.backends.opengl3_shutdown()
        implot.destroy_context()
        imgui.destroy_context()

    def mouse_moved(self, x: float, y: float) -> None:
        """The mouse is at ``(x, y)`` in window coordinates."""
        self.io.add_mouse_pos_event(float(x), float(y))
        if x < self.left or self.io.want_capture_mouse:
            self.touched()

    def mouse_left(self) -> None:
        """The mouse is outside the window."""
        self.io.add_mouse_pos_event(-OUTSIDE, -OUTSIDE)
        self.touched()

    def mouse_button(self, button: int, down: bool) -> None:
        """Button 0 (left), 1 (right) or 2 (middle) went down or up."""
        self.io.add_mouse_button_event(button, down)
        self.touched()

    def mouse_wheel(self, x: float, y: float) -> None:
        """The wheel turned."""
        self.io.add_mouse_wheel_event(float(x), float(y))
        self.touched()

    def key(self, key: int, down: bool, **held: bool) -> None:
        """A glfw ``key`` went down or up while the modifiers of :data:`MODIFIERS` were ``held`` or not."""
        for name, modifier in MODIFIERS.items():
            self.io.add_key_event(modifier, held[name])
        if key in self.keys:
            self.io.add_key_event(self.keys[key], down)
        self.touched()

    def character(self, text: str) -> None:
        """A character was typed."""
        self.io.add_input_character(ord(text))
        self.touched()


def content_scale(window: Any, width: int, pixels: int) -> float:
    """How much larger than at 96 dpi text must be in a window's own coordinates, ``width`` of them for ``pixels``."""
    scale = max(glfw.get_window_content_scale(window)) * width / max(pixels, 1)
    return float(scale) if math.isfinite(scale) and scale > 0 else 1.0


def copy(text: str) -> None:
    """Put ``text`` where every program can paste it from."""
    glfw.set_clipboard_string(ANY_WINDOW, text)


def clipboard() -> str:
    """The text that was copied last, here or in another program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", glfw.GLFWError)  # there is nothing, or nothing that is text
        found = glfw.get_clipboard_string(ANY_WINDOW) or b""
    return found if isinstance(found, str) else found.decode("utf-8", "replace")


def open_window(title: str, size: Sequence[int] | None, fit: bool = False) -> Window:
    """A resizable window with OpenGL 3.3 of ``size``, None: the system's scale times 800 x 800.

    ``fit``: it is no larger than the screen. Raises :class:`NoDisplayError` where none can be opened.
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
    except Exception as error:  # moderngl-window and glfw raise what they like
        raise NoDisplayError(
            f"no window with OpenGL 3.3 could be opened ({error}): {INSTALL_HINT}; {WITHOUT_WINDOW}"
        ) from None
    window.exit_key = None
    made = glfw.get_window_size(window._window)  # what was asked times the system's scale
    wanted = _fitting(size or made) if fit else tuple(size or made)
    if wanted != made:
        glfw.set_window_size(window._window, *wanted)
    return window


def _fitting(size: Sequence[int]) -> tuple[int, ...]:
    """``size``, or what of it this screen has room for: it may come from a larger one."""
    screen = glfw.get_primary_monitor() if glfw.init() else None
    if not screen:
        return tuple(size)
    _, _, width, height = glfw.get_monitor_workarea(screen)
    return (min(size[0], width), min(size[1], height)) if min(width, height) > 0 else tuple(size)
