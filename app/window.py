"""The viewer's window: events in, frames out. :meth:`Viewer.frame` is one turn of its loop."""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

import glfw  # before imgui_bundle, which would point it at its own copy of the library
import moderngl
import numpy as np
from moderngl_window.context.glfw.window import Window

from duplex.app.backend_names import AUTO
from duplex.app.benchmark import fastest
from duplex.app.bundle import Bundle
from duplex.app.camera import Camera, way_from_rig
from duplex.app.controls import CameraControls
from duplex.app.errors import NoDisplayError
from duplex.app.gpu import INSTALL_HINT, PassTimers, describe, is_software
from duplex.app.headless import scene_orbit, scene_pivot
from duplex.app.panel import FrameFacts, PanelState, draw_panel
from duplex.app.passes.present import ScreenPass
from duplex.app.renderer import Renderer
from duplex.app.resolution import DynamicResolution
from duplex.app.ui import Ui

MOVES = {  # key: right, up, forward
    "W": (0, 0, 1),
    "S": (0, 0, -1),
    "D": (1, 0, 0),
    "A": (-1, 0, 0),
    "E": (0, 1, 0),
    "Q": (0, -1, 0),
}
LEFT, RIGHT, MIDDLE = 1, 2, 3  # moderngl-window's numbers


class Viewer:
    """A window of ``size`` that shows ``bundle``, which was read from ``path``, beginning at ``camera``.

    ``backend``: with ``auto`` the fastest one here is found out behind the first frame.
    """

    def __init__(self, bundle: Bundle, path: Path, size: tuple[int, int], camera: Camera, backend: str = AUTO):
        self.bundle, self.path = bundle, path
        self.bundle_bytes = path.stat().st_size
        self.window = _open_window(f"{path.name} - duplex", size)
        self.ctx: moderngl.Context = self.window.ctx
        self.ctx.gc_mode = "auto"
        self.renderer = Renderer(self.ctx, self.bundle, backend)
        self.undecided = backend == AUTO
        self.renderer.timers = self.timers = PassTimers(self.ctx)
        self.screen = ScreenPass(self.ctx)
        self.ui = Ui()
        self.panel = PanelState(background=list(self.bundle.background))
        self.center, radius = scene_pivot(bundle)
        self.controls = CameraControls.around(camera, self.center, radius, np.array(self.bundle.up))
        self.driver, self.software = describe(self.ctx), is_software(self.ctx)
        self.resolution, self.last_pose = DynamicResolution(), self.controls.camera(1, 1).camera_to_world
        self.pressed: set[int] = set()
        self.drawn_size = size
        self.last, self.frame_milliseconds = time.perf_counter(), 0.0
        self._connect()

    def run(self) -> None:
        """Draw until the window is closed."""
        while not self.window.is_closing:
            self.frame()
            self.window.swap_buffers()
            if self.undecided:
                self._choose_backend()
        self.close()

    def frame(self) -> None:
        """React to what has come in and draw one frame into the window (not yet swapped)."""
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        self.frame_milliseconds = (
            0.9 * self.frame_milliseconds + 0.1 * 1000 * seconds if self.frame_milliseconds else 1000 * seconds
        )
        buffer_size = glfw.get_framebuffer_size(self.window._window)
        if min(buffer_size) < 1:  # minimised
            glfw.wait_events_timeout(0.1)
            return
        self._move(min(seconds, 0.1))
        self.drawn_size = self._draw(buffer_size, seconds)
        size = glfw.get_window_size(self.window._window)
        self.ui.begin(size, buffer_size, self._content_scale(size, buffer_size), seconds)
        facts = FrameFacts(
            self.timers.milliseconds,
            self.timers.counting,
            self.frame_milliseconds,
            self.drawn_size,
            self.driver,
            self.path.name,
            self.bundle_bytes,
            self.renderer.shading.name,
        )
        draw_panel(self.panel, self.bundle, self.renderer.views, self.controls, facts)
        self.ui.end()

    def _choose_backend(self) -> None:
        self.undecided = False
        self.renderer = fastest(self.renderer, self.controls.camera(*self.window.size))
        self.renderer.timers = self.timers
        self.timers.forget()
        self.last = time.perf_counter()  # the choice is no slow frame

    def _draw(self, buffer_size: tuple[int, int], seconds: float) -> tuple[int, int]:
        """Draw the scene over the whole window; returns the size that it was drawn at."""
        scale = self.panel.scale * self._movement_scale(seconds)
        size = (max(round(buffer_size[0] * scale), 1), max(round(buffer_size[1] * scale), 1))
        red, green, blue = self.panel.background
        picture = self.renderer.draw(self.controls.camera(*size), (red, green, blue, 1.0), self.panel.view)
        texture = picture.color_attachments[0]
        assert isinstance(texture, moderngl.Texture)
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        out = self.ctx.screen
        out.viewport = (0, 0, *buffer_size)
        out.scissor = None  # type: ignore[assignment]
        with self.timers.measure("screen"):
            self.screen.render(texture, buffer_size, out=out)
        return size

    def _movement_scale(self, seconds: float) -> float:
        """How much coarser than the panel says the next frame is drawn."""
        pose = self.controls.camera(1, 1).camera_to_world
        moving, self.last_pose = not np.array_equal(pose, self.last_pose), pose
        self.resolution.wanted = 1000 / self.panel.frame_rate
        cost = 1000 * seconds
        if self.timers.counting and self.timers.milliseconds and not self.software:
            cost = sum(self.timers.milliseconds.values())  # where a screen's rate limits frames, they cost less
        return self.resolution.scale(cost, seconds, moving) if self.panel.smooth else 1.0

    def _move(self, seconds: float) -> None:
        if self.panel.view_changed:
            self.timers.forget()
            self.panel.view_changed = False
        if self.panel.frame_requested:
            if way_from_rig(self.bundle.rig) is None:
                self.controls.frame(self.center)
            else:  # a scene around the camera fits no picture: go back to where its own cameras stood
                self.controls.set(scene_orbit(self.bundle).camera(0, *self.window.size), self.center)
            self.panel.frame_requested = False
        if self.panel.camera_requested is not None:
            self.controls.set(self.bundle.cameras[self.panel.camera_requested], self.center)
            self.panel.camera_requested = None
        if self.ui.io.want_text_input:
            return
        held = [move for key, move in MOVES.items() if getattr(glfw, f"KEY_{key}") in self.pressed]
        if held:
            fast = bool(self.pressed & {glfw.KEY_LEFT_SHIFT, glfw.KEY_RIGHT_SHIFT})
            right, up, forward = (float(sum(axis)) for axis in zip(*held, strict=True))
            self.controls.move(right, up, forward, seconds, fast)

    def _content_scale(self, size: tuple[int, int], buffer_size: tuple[int, int]) -> float:
        """How much larger than at 96 dpi text must be in window coordinates, which themselves may be scaled."""
        scale = max(glfw.get_window_content_scale(self.window._window)) * size[0] / max(buffer_size[0], 1)
        return float(scale) if math.isfinite(scale) and scale > 0 else 1.0

    def _connect(self) -> None:
        self.window.mouse_position_event_func = self._mouse_moved
        self.window.mouse_drag_event_func = self._mouse_dragged
        self.window.mouse_press_event_func = lambda x, y, button: self._mouse_button(button, True)
        self.window.mouse_release_event_func = lambda x, y, button: self._mouse_button(button, False)
        self.window.mouse_scroll_event_func = self._mouse_wheel
        self.window.key_event_func = self._key
        self.window.unicode_char_entered_func = self.ui.character

    def _mouse_moved(self, x: int, y: int, dx: int, dy: int) -> None:
        self.ui.mouse_moved(x, y)

    def _mouse_dragged(self, x: int, y: int, dx: int, dy: int) -> None:
        self.ui.mouse_moved(x, y)
        if self.ui.io.want_capture_mouse:
            return
        if self.window.mouse_states.left:
            self.controls.turn(dx, dy)
        else:
            self.controls.pan(dx, dy, glfw.get_window_size(self.window._window)[1])

    def _mouse_button(self, button: int, down: bool) -> None:
        self.ui.mouse_button({LEFT: 0, RIGHT: 1, MIDDLE: 2}[button], down)

    def _mouse_wheel(self, x: float, y: float) -> None:
        self.ui.mouse_wheel(x, y)
        if not self.ui.io.want_capture_mouse:
            self.controls.dolly(y)

    def _key(self, key: int, action: int, modifiers: object) -> None:
        down = action != glfw.RELEASE
        self.ui.key(key, down, *(bool(getattr(modifiers, name)) for name in ("shift", "ctrl", "alt")))
        if not down:
            self.pressed.discard(key)
        elif not self.ui.io.want_text_input:
            self.pressed.add(key)
            if key == glfw.KEY_F:
                self.panel.frame_requested = True
            elif key == glfw.KEY_TAB:
                self.panel.visible = not self.panel.visible

    def close(self) -> None:
        """Free the window and everything drawn in it."""
        self.ui.close()
        self.ctx.gc_mode = None  # type: ignore[assignment]  # from here on there is no context left to free anything in
        self.window.destroy()


def _open_window(title: str, size: tuple[int, int]) -> Window:
    """A resizable window with OpenGL 3.3; raises :class:`NoDisplayError` where none can be opened."""
    linux = sys.platform.startswith("linux")
    if linux and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise NoDisplayError(
            "no display: run duplex-viewer in a desktop session, or draw without a window with "
            "--screenshot picture.png or --turntable -o turn.mp4"
        )
    try:
        window = Window(
            title=title,
            size=size,
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
            f"no window with OpenGL 3.3 could be opened ({error}): {INSTALL_HINT}; "
            "or draw without a window with --screenshot picture.png"
        ) from None
    window.exit_key = None
    return window
