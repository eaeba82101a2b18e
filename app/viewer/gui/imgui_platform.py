"""Dear ImGui in the window: its own OpenGL backend draws, and the window's events are passed on to it."""

from __future__ import annotations

import time
from collections.abc import Callable

import glfw  # before imgui_bundle, which would point it at its own copy of the library
from imgui_bundle import imgui, implot

from duplex.app.core.errors import DuplexError
from duplex.app.render.gpu import INSTALL_HINT
from duplex.app.viewer.gui.clipboard import clipboard, copy
from duplex.app.viewer.gui.layout import Layout
from duplex.app.viewer.gui.popups import any_popup
from duplex.app.viewer.gui.theme import Theme

OUTSIDE = 3.4028235e38  # the largest float: Dear ImGui reads it as no mouse at all
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
    """One Dear ImGui context on the current OpenGL context, with the system's clipboard."""

    def __init__(self) -> None:
        imgui.create_context()
        platform = imgui.get_platform_io()
        platform.platform_get_clipboard_text_fn = lambda _: clipboard()
        platform.platform_set_clipboard_text_fn = lambda _, text: copy(text)
        implot.create_context()
        self.io = imgui.get_io()
        self.io.set_ini_filename("")
        self.theme = Theme()
        self._started = time.perf_counter()
        if not imgui.backends.opengl3_init("#version 330"):
            raise DuplexError(f"Dear ImGui finds no OpenGL 3.3 to draw the panel with: {INSTALL_HINT}")
        self.left = 0.0  # the width of the panel
        self.touched: Callable[[], None] = lambda: None  # called at every event that may change a widget
        self._keys = _key_map()

    @property
    def in_use(self) -> bool:
        """Whether a widget is under the mouse, is being used, or is open."""
        return self.io.want_capture_mouse or imgui.is_any_item_active() or any_popup()

    @property
    def typing(self) -> bool:
        """Whether a widget is being used, for example a text field with a cursor that blinks."""
        return bool(imgui.is_any_item_active())

    def begin(self, layout: Layout) -> None:
        """Start a frame of ``layout``."""
        width, height = layout.size
        self.io.display_size = imgui.ImVec2(float(width), float(height))
        self.io.display_framebuffer_scale = imgui.ImVec2(
            layout.pixels[0] / max(width, 1), layout.pixels[1] / max(height, 1)
        )
        now = time.perf_counter()
        self.io.delta_time = max(now - self._started, 1e-4)
        self._started = now
        self.theme.scale_to(layout.scale)
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
        """A glfw ``key`` went down or up; ``held``: whether each of :data:`MODIFIERS` is held."""
        for name, modifier in MODIFIERS.items():
            self.io.add_key_event(modifier, held[name])
        if key in self._keys:
            self.io.add_key_event(self._keys[key], down)
        self.touched()

    def character(self, text: str) -> None:
        """A character was typed."""
        self.io.add_input_character(ord(text))
        self.touched()
