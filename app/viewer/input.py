"""The window's events: what goes to the panel, what moves the camera, what keys do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import glfw
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.viewer.camera_controls import FAST, MODES, SLOW
from duplex.app.viewer.keys import ALT, MOVES, SHIFT
from duplex.app.viewer.panels.panel import Wanted

if TYPE_CHECKING:
    from duplex.app.viewer.window import Viewer

BUTTONS = {1: 0, 2: 1, 3: 2}  # moderngl-window's numbers of left, right and middle, and Dear ImGui's
LEFT = 1
CLICK = 4  # pixels that a mouse may move between press and release of a click
NEAR = 12  # pixels from a camera to a click that means it
REPEATED = (glfw.KEY_LEFT_BRACKET, glfw.KEY_RIGHT_BRACKET)  # keys that act on and on while they are held
COMMAND = (glfw.KEY_LEFT_SUPER, glfw.KEY_RIGHT_SUPER)  # what macOS has for Ctrl
WANTED = {
    (glfw.KEY_F, False): Wanted.FRAME,
    (glfw.KEY_R, False): Wanted.RESET,
    (glfw.KEY_C, True): Wanted.COPY,
    (glfw.KEY_V, True): Wanted.PASTE,
    (glfw.KEY_F12, False): Wanted.PICTURE,
}


class Events:
    """Connects the window of ``viewer`` to its panel and to the scene that is open."""

    def __init__(self, viewer: Viewer):
        self.viewer, self.window, self.ui = viewer, viewer.window, viewer.ui
        self.pressed: set[int] = set()
        self.pressed_at: Array = np.zeros(2)
        window = self.window
        window.mouse_position_event_func = lambda x, y, dx, dy: self.ui.mouse_moved(x, y)
        window.mouse_drag_event_func = self._mouse_dragged
        window.mouse_press_event_func = lambda x, y, button: self._mouse_button(button, True)
        window.mouse_release_event_func = lambda x, y, button: self._mouse_button(button, False)
        window.mouse_scroll_event_func = self._mouse_wheel
        window.key_event_func = self._key
        window.unicode_char_entered_func = self._character
        glfw.set_cursor_enter_callback(window._window, self._mouse_entered)
        glfw.set_drop_callback(window._window, self._dropped)  # type: ignore[arg-type]  # glfw hands a list over

    def swap(self) -> None:
        """Show what was drawn, and hear what came in meanwhile."""
        try:
            self.window.swap_buffers()
        except UnicodeDecodeError:  # of glfw, out of a file's name that was dropped
            self.viewer.notices.error("the dropped file's name is no text in UTF-8: rename it, or type its folder")

    def held(self, seconds: float) -> None:
        """Move the camera by the keys that have been held for ``seconds``."""
        scene = self.viewer.scene
        if not glfw.get_window_attrib(self.window._window, glfw.FOCUSED):
            self.pressed.clear()  # whoever has the keyboard now hears of their release
        moves = [move for key, move in MOVES.items() if key in self.pressed]
        if scene and moves and not self.ui.io.want_text_input:
            speed = (FAST if self.pressed & SHIFT else 1) * (SLOW if self.pressed & ALT else 1)
            right, up, forward = (float(sum(axis)) for axis in zip(*moves, strict=True))
            scene.controls.move(right, up, forward, seconds, speed)

    def _dropped(self, window: object, files: list[str]) -> None:
        if files:
            self.viewer.file_menu.chosen = Path(files[0])

    def _mouse_entered(self, window: object, entered: int) -> None:
        self.window.glfw_cursor_enter(window, entered)
        if not entered:
            self.ui.mouse_left()

    def _mouse_dragged(self, x: int, y: int, dx: int, dy: int) -> None:
        self.ui.mouse_moved(x, y)
        scene = self.viewer.scene
        if self.ui.io.want_capture_mouse or not scene:
            return
        if self.window.mouse_states.left and not self.pressed & SHIFT:
            scene.controls.turn(dx, dy)
        else:
            scene.controls.pan(dx, dy, glfw.get_window_size(self.window._window)[1])

    def _mouse_button(self, button: int, down: bool) -> None:
        self.ui.mouse_button(BUTTONS[button], down)
        place = np.array(glfw.get_cursor_pos(self.window._window))
        if down:
            self.pressed_at = place
        elif button == LEFT and not self.ui.io.want_capture_mouse and np.abs(place - self.pressed_at).max() <= CLICK:
            self._click(place)

    def _click(self, place: Array) -> None:
        """Jump to the bundle's camera that is clicked on."""
        scene = self.viewer.scene
        if not scene or not self.viewer.panel.frusta:
            return
        eyes = np.array([camera.position for camera in scene.bundle.cameras]).reshape(-1, 3)
        away = np.linalg.norm(self.viewer.interface.overlay(scene).places(eyes) - place, axis=1)
        if np.nanmin(np.append(away, np.inf)) < NEAR:
            self._jump(int(np.nanargmin(away)))

    def _mouse_wheel(self, x: float, y: float) -> None:
        self.ui.mouse_wheel(x, y)
        if self.viewer.scene and not self.ui.io.want_capture_mouse:
            self.viewer.scene.controls.dolly(y)

    def _character(self, text: str) -> None:
        self.ui.character(text)
        if text == "?" and not self.ui.io.want_text_input:  # wherever this keyboard has it
            self.viewer.panel.help_visible = not self.viewer.panel.help_visible

    def _key(self, key: int, action: int, modifiers: object) -> None:
        down = action != glfw.RELEASE
        held = {name: bool(getattr(modifiers, name)) for name in ("shift", "ctrl", "alt")}
        held["command"] = any(glfw.get_key(self.window._window, key) == glfw.PRESS for key in COMMAND)
        if action != glfw.REPEAT:  # Dear ImGui has its own
            self.ui.key(key, down, **held)
        if not down:
            self.pressed.discard(key)
        elif not self.ui.io.want_text_input:
            self.pressed.add(key)
            if action == glfw.PRESS or key in REPEATED:
                self._act(key, held["ctrl"] or held["command"])

    def _act(self, key: int, ctrl: bool) -> None:
        panel = self.viewer.panel
        if (key, ctrl) in WANTED and self.viewer.scene:
            panel.wanted = WANTED[key, ctrl]
        elif key == glfw.KEY_TAB:
            panel.visible = not panel.visible
        elif key == glfw.KEY_ESCAPE:
            panel.help_visible = False
        elif self.viewer.scene:
            self._act_on_scene(key)

    def _act_on_scene(self, key: int) -> None:
        scene, panel, notices = self.viewer.scene, self.viewer.panel, self.viewer.notices
        assert scene
        views, cameras, editor = scene.renderer.views, len(scene.bundle.cameras), scene.path_editor
        if key == glfw.KEY_O:
            scene.controls.mode = MODES[(MODES.index(scene.controls.mode) + 1) % len(MODES)]
            notices.note(f"camera: {scene.controls.mode}")
        elif key == glfw.KEY_K:
            editor.add(self.viewer.interface.overlay(scene).camera)
            notices.note(f"keyframe {editor.selected + 1} of {len(editor.path.keyframes)}")
        elif key == glfw.KEY_SPACE:
            editor.play()
        elif key in REPEATED and cameras:
            step = 1 if key == glfw.KEY_RIGHT_BRACKET else -1
            self._jump((max(scene.camera_index, -1 if step > 0 else 0) + step) % cameras)
        elif glfw.KEY_1 <= key <= glfw.KEY_9 and key - glfw.KEY_1 < len(views):
            panel.view, panel.view_changed = views[key - glfw.KEY_1], True

    def _jump(self, index: int) -> None:
        scene = self.viewer.scene
        assert scene
        scene.jump(index)
        self.viewer.notices.note(f"camera {index} of {len(scene.bundle.cameras)}")
