"""The window's events: mouse, keys and dropped files become actions; widgets hear of all of them."""

from __future__ import annotations

import time
from pathlib import Path

import glfw
import numpy as np
from moderngl_window.context.glfw.window import Window

from duplex.app.core.arrays import Array
from duplex.app.viewer.actions import (
    Action,
    Click,
    Dismiss,
    Dolly,
    OpenFile,
    Pan,
    ReportError,
    ScaleFlySpeed,
    SetPivot,
    ToggleHelp,
    Turn,
)
from duplex.app.viewer.camera.camera_controls import FAST, SLOW, Flight
from duplex.app.viewer.gui.imgui_platform import Ui
from duplex.app.viewer.input.keys import ALT, MODIFIERS, MOVES, REPEATED, SHIFT, action_of, lettered

BUTTONS = {1: 0, 2: 1, 3: 2}  # moderngl-window's numbers of left, right and middle, and Dear ImGui's
LEFT = 1
FASTER = 1.25  # of a notch of the wheel, while the camera flies
DOUBLE_CLICK = 0.4  # seconds between two clicks at most
CLICK = 4  # pixels that the mouse may move between press and release of a click


class Input:
    """Collects what comes in through ``window``; ``ui`` decides first whether a widget takes it."""

    def __init__(self, window: Window, ui: Ui):
        self.window = window
        self.ui = ui
        self.pressed: set[int] = set()  # keys that are held and not for a text field
        self.last_event = time.perf_counter()
        self._actions: list[Action] = []
        self._pressed_at: Array = np.zeros(2)
        self._clicked: tuple[float, Array] = (-1.0, np.zeros(2))  # when, and where
        window.mouse_position_event_func = self._mouse_moved
        window.mouse_drag_event_func = self._mouse_dragged
        window.mouse_press_event_func = lambda x, y, button: self._mouse_button(button, True)
        window.mouse_release_event_func = lambda x, y, button: self._mouse_button(button, False)
        window.mouse_scroll_event_func = self._mouse_wheel
        window.key_event_func = self._key
        window.unicode_char_entered_func = self._character
        glfw.set_cursor_enter_callback(window._window, self._mouse_entered)
        glfw.set_drop_callback(window._window, self._dropped)  # type: ignore[arg-type]  # glfw hands a list over

    def swap(self) -> None:
        """Show what was drawn, and take the events that came in meanwhile."""
        try:
            self.window.swap_buffers()
        except UnicodeDecodeError:  # glfw raises it for the name of a dropped file
            self._give(ReportError("the dropped file's name is no text in UTF-8: rename it, or type its folder"))

    def take(self) -> list[Action]:
        """The actions since the last call, oldest first."""
        actions, self._actions = self._actions, []
        return actions

    def flight(self) -> Flight | None:
        """The camera's movement by the keys that are held now."""
        if not glfw.get_window_attrib(self.window._window, glfw.FOCUSED):
            self.pressed.clear()  # another window hears of their release
        moves = [move for key, move in MOVES.items() if key in self.pressed]
        if not moves or self.ui.io.want_text_input:
            return None
        right, up, forward = (float(sum(axis)) for axis in zip(*moves, strict=True))
        speed = (FAST if self.pressed & SHIFT else 1) * (SLOW if self.pressed & ALT else 1)
        return Flight(right, up, forward, speed)

    def _give(self, action: Action) -> None:
        self._actions.append(action)

    def _dropped(self, window: object, files: list[str]) -> None:
        self._heard()
        if files:
            self._give(OpenFile(Path(files[0])))

    def _mouse_moved(self, x: int, y: int, dx: int, dy: int) -> None:
        self._heard()
        self.ui.mouse_moved(x, y)

    def _heard(self) -> None:
        self.last_event = time.perf_counter()

    def _mouse_entered(self, window: object, entered: int) -> None:
        self._heard()
        self.window.glfw_cursor_enter(window, entered)
        if not entered:
            self.ui.mouse_left()

    def _mouse_dragged(self, x: int, y: int, dx: int, dy: int) -> None:
        self._heard()
        self.ui.mouse_moved(x, y)
        if self.ui.io.want_capture_mouse:
            return
        turning = self.window.mouse_states.left and not self.pressed & SHIFT
        self._give(Turn(dx, dy) if turning else Pan(dx, dy))

    def _mouse_button(self, button: int, down: bool) -> None:
        self._heard()
        self.ui.mouse_button(BUTTONS[button], down)
        place = np.array(glfw.get_cursor_pos(self.window._window))
        if down:
            self._pressed_at = place
        elif button == LEFT and not self.ui.io.want_capture_mouse and np.abs(place - self._pressed_at).max() <= CLICK:
            x, y = float(place[0]), float(place[1])
            self._give(Click(x, y))
            now = time.monotonic()
            if now - self._clicked[0] < DOUBLE_CLICK and np.abs(place - self._clicked[1]).max() <= CLICK:
                self._give(SetPivot(x, y))
            self._clicked = (now, place)

    def _mouse_wheel(self, x: float, y: float) -> None:
        self._heard()
        self.ui.mouse_wheel(x, y)
        if self.flight():
            self._give(ScaleFlySpeed(FASTER**y))
        elif not self.ui.io.want_capture_mouse:
            self._give(Dolly(y, glfw.get_cursor_pos(self.window._window)))

    def _character(self, text: str) -> None:
        self._heard()
        self.ui.character(text)
        if text == "?" and not self.ui.io.want_text_input:  # on whichever key this keyboard has it
            self._give(ToggleHelp())

    def _key(self, key: int, action: int, modifiers: object) -> None:
        self._heard()
        down = action != glfw.RELEASE
        window = self.window._window  # an event's own modifiers are those before it: a released Shift still counts
        held = {name: any(glfw.get_key(window, k) == glfw.PRESS for k in keys) for name, keys in MODIFIERS.items()}
        ctrl = held["ctrl"] or held["command"]
        letter = lettered(key)
        if action != glfw.REPEAT:  # Dear ImGui repeats keys itself
            self.ui.key(letter, down, **held)
        if not down:
            self.pressed.discard(key)
        elif not self.ui.io.want_text_input:
            if not ctrl:
                self.pressed.add(key)
            flies = key in MOVES and not ctrl
            asked = None if flies else action_of(letter, ctrl, held["shift"])
            if asked and (action == glfw.PRESS or key in REPEATED):
                self._give(asked)
        elif letter == glfw.KEY_ESCAPE:
            self._give(Dismiss())
