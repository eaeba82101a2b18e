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
from duplex.app.camera import Array, Camera, way_from_rig
from duplex.app.controls import FAST, MODES, SLOW, CameraControls
from duplex.app.errors import DuplexError, NoDisplayError
from duplex.app.gpu import INSTALL_HINT, PassTimers, describe, is_software
from duplex.app.headless import save_png, scene_orbit, scene_pivot
from duplex.app.keys import ALT, MOVES, SHIFT, draw_help
from duplex.app.notices import Notices
from duplex.app.overlay import Overlay
from duplex.app.panel import FrameFacts, PanelState, Wanted, draw_panel, room_for_panel
from duplex.app.passes.present import ScreenPass
from duplex.app.path_editor import PathEditor
from duplex.app.renderer import Renderer
from duplex.app.resolution import DynamicResolution
from duplex.app.ui import Ui
from duplex.assets import DEMO_BUNDLE

LEFT, RIGHT, MIDDLE = 1, 2, 3  # moderngl-window's numbers
CAMERAS, CAMERA_SIZE = 0xC0A0A0A0, 0.04  # the colour of the bundle's, ABGR, and their size in the scene's
CLICK = 4  # pixels that a mouse may move between press and release of a click


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
        self.notices = Notices()
        self.center, radius = scene_pivot(bundle)
        self.controls = CameraControls.around(camera, self.center, radius, np.array(self.bundle.up))
        self.start, self.camera_index = camera, -1
        self.path_editor = PathEditor.beside(self.bundle, _folder_of(path), path.stem)
        self.driver, self.software = describe(self.ctx), is_software(self.ctx)
        self.resolution, self.last_pose = DynamicResolution(), self.controls.camera(1, 1).camera_to_world
        self.pressed: set[int] = set()
        self.pressed_at = np.zeros(2)
        self.drawn_size, self.left = size, 0.0
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
        self.path_editor.record_some(self.notices)
        self._move(min(seconds, 0.1))
        size = glfw.get_window_size(self.window._window)
        scale = self._content_scale(size, buffer_size)
        self.left = room_for_panel(self.panel, size[0], scale)
        self.drawn_size = self._draw(buffer_size, round(self.left * buffer_size[0] / size[0]), seconds)
        self.ui.begin(size, buffer_size, scale, seconds)
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
        self._draw_ui(facts, min(seconds, 0.1))
        self.ui.end()

    def _draw_ui(self, facts: FrameFacts, seconds: float) -> None:
        overlay, low, high = self._overlay(), *self.bundle.bounds
        camera, frustum = overlay.camera, CAMERA_SIZE * float(np.linalg.norm(high - low))
        if self.panel.frusta:
            for pose in self.bundle.cameras:
                overlay.frustum(pose.camera_to_world, pose.fov_y, frustum, CAMERAS)
        if self.panel.visible:
            self.path_editor.draw_way(overlay, frustum)
        draw_panel(
            self.panel,
            self.bundle,
            self.renderer.views,
            self.controls,
            facts,
            lambda: self.path_editor.draw_panel(camera, self._show, self._record, self.notices),
        )
        if self.panel.help_visible:
            self.panel.help_visible = draw_help()
        self.notices.draw(seconds, self.left)

    def _overlay(self) -> Overlay:
        """What draws over the scene, in window coordinates."""
        width, height = glfw.get_window_size(self.window._window)
        return Overlay(self.controls.camera(max(round(width - self.left), 1), height), self.left)

    def _show(self, camera: Camera) -> None:
        """Be at ``camera`` at once."""
        self.controls.set(camera, self.center)
        self.controls.arrive()

    def _record(self) -> None:
        red, green, blue = self.panel.background
        try:
            self.path_editor.record(self.renderer, (red, green, blue, 1.0))
        except (DuplexError, OSError) as error:
            self.notices.error(str(error))

    def _choose_backend(self) -> None:
        self.undecided = False
        self.renderer = fastest(self.renderer, self.controls.camera(*self.window.size))
        self.renderer.timers = self.timers
        self.timers.forget()
        self.last = time.perf_counter()  # the choice is no slow frame

    def _draw(self, buffer_size: tuple[int, int], left: int, seconds: float) -> tuple[int, int]:
        """Draw the scene into the window, but not into the ``left`` of it; returns the size that it was drawn at."""
        scale, (width, height) = self.panel.scale * self._movement_scale(seconds), buffer_size
        room = (width - left, height)
        size = (max(round(room[0] * scale), 1), max(round(room[1] * scale), 1))
        red, green, blue = self.panel.background
        picture = self.renderer.draw(self.controls.camera(*size), (red, green, blue, 1.0), self.panel.view)
        texture = picture.color_attachments[0]
        assert isinstance(texture, moderngl.Texture)
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        with self.timers.measure("screen"):
            self.screen.render(texture, (left, 0, *room), out=self.ctx.screen)
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
        if self.panel.wanted:
            wanted, self.panel.wanted = self.panel.wanted, None
            try:
                self._do(wanted)
            except (DuplexError, OSError) as error:
                self.notices.error(str(error))
        if self.panel.camera_requested is not None:
            self._jump(self.panel.camera_requested)
            self.panel.camera_requested = None
        played = self.path_editor.advance(seconds)
        if played:
            self._show(played)
            return
        if not self.ui.io.want_text_input:
            held = [move for key, move in MOVES.items() if key in self.pressed]
            if held:
                speed = (FAST if self.pressed & SHIFT else 1) * (SLOW if self.pressed & ALT else 1)
                right, up, forward = (float(sum(axis)) for axis in zip(*held, strict=True))
                self.controls.move(right, up, forward, seconds, speed)
        self.controls.update(seconds)

    def _do(self, wanted: Wanted) -> None:
        if wanted is Wanted.FRAME:
            if way_from_rig(self.bundle.rig) is None:
                camera = self._overlay().camera
                self.controls.frame(self.center, camera.width / camera.height)
            else:  # a scene around the camera fits no picture: go back to where its own cameras stood
                self.controls.set(scene_orbit(self.bundle).camera(0, *self.window.size), self.center)
        elif wanted is Wanted.RESET:
            self.controls.set_up(np.array(self.bundle.up))
            self.controls.set(self.start, self.center)
        elif wanted is Wanted.COPY:
            glfw.set_clipboard_string(self.window._window, self.controls.to_text())
            self.notices.note("copied the view: paste it here again with Ctrl+V, or save it for --camera")
        elif wanted is Wanted.PASTE:
            text = glfw.get_clipboard_string(self.window._window) or b""
            self.controls.paste(text if isinstance(text, str) else text.decode("utf-8", "replace"), self.center)
        elif wanted is Wanted.PICTURE:
            self._save_picture()

    def _jump(self, index: int) -> None:
        """Go to the bundle's camera ``index``."""
        self.camera_index = index
        self.controls.set(self.bundle.cameras[index], self.center)
        self.notices.note(f"camera {index} of {len(self.bundle.cameras)}")

    def _save_picture(self) -> None:
        width, height = glfw.get_framebuffer_size(self.window._window)
        size = (max(width - round(self.left * width / max(self.window.size[0], 1)), 1), height)
        red, green, blue = self.panel.background
        folder = _folder_of(self.path)
        file = next(f for i in range(1, 10**6) if not (f := folder / f"{self.path.stem}-{i:03d}.png").exists())
        save_png(self.renderer.image(self.controls.camera(*size), (red, green, blue, 1.0), self.panel.view), file)
        self.notices.note(f"{file}: {size[0]} x {size[1]}")

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
        if self.window.mouse_states.left and not self.pressed & SHIFT:
            self.controls.turn(dx, dy)
        else:
            self.controls.pan(dx, dy, glfw.get_window_size(self.window._window)[1])

    def _mouse_button(self, button: int, down: bool) -> None:
        self.ui.mouse_button({LEFT: 0, RIGHT: 1, MIDDLE: 2}[button], down)
        place = np.array(glfw.get_cursor_pos(self.window._window))
        if down:
            self.pressed_at = place
        elif button == LEFT and not self.ui.io.want_capture_mouse and np.abs(place - self.pressed_at).max() <= CLICK:
            self._click(place)

    def _click(self, place: Array) -> None:
        """Jump to the bundle's camera whose frustum is clicked on."""
        if not self.panel.frusta:
            return
        eyes = np.array([camera.position for camera in self.bundle.cameras]).reshape(-1, 3)
        away = np.linalg.norm(self._overlay().places(eyes) - place, axis=1)
        if len(away) and np.nanmin(np.append(away, np.inf)) < 12:
            self._jump(int(np.nanargmin(away)))

    def _mouse_wheel(self, x: float, y: float) -> None:
        self.ui.mouse_wheel(x, y)
        if not self.ui.io.want_capture_mouse:
            self.controls.dolly(y)

    def _key(self, key: int, action: int, modifiers: object) -> None:
        down = action != glfw.RELEASE
        held = {name: bool(getattr(modifiers, name)) for name in ("shift", "ctrl", "alt")}
        self.ui.key(key, down, **held)
        if not down:
            self.pressed.discard(key)
        elif not self.ui.io.want_text_input:
            self.pressed.add(key)
            self._act(key, held["ctrl"], held["shift"])

    def _act(self, key: int, ctrl: bool, shift: bool) -> None:
        wanted = {
            (glfw.KEY_F, False): Wanted.FRAME,
            (glfw.KEY_R, False): Wanted.RESET,
            (glfw.KEY_C, True): Wanted.COPY,
            (glfw.KEY_V, True): Wanted.PASTE,
            (glfw.KEY_F12, False): Wanted.PICTURE,
        }.get((key, ctrl))
        views, cameras = self.renderer.views, len(self.bundle.cameras)
        if wanted:
            self.panel.wanted = wanted
        elif key == glfw.KEY_TAB:
            self.panel.visible = not self.panel.visible
        elif key == glfw.KEY_SLASH and shift:
            self.panel.help_visible = not self.panel.help_visible
        elif key == glfw.KEY_ESCAPE:
            self.panel.help_visible = False
        elif key == glfw.KEY_O:
            self.controls.mode = MODES[(MODES.index(self.controls.mode) + 1) % len(MODES)]
            self.notices.note(f"camera: {self.controls.mode}")
        elif key == glfw.KEY_K:
            self.path_editor.add(self._overlay().camera)
            self.notices.note(f"keyframe {self.path_editor.selected + 1} of {len(self.path_editor.path.keyframes)}")
        elif key == glfw.KEY_SPACE:
            self.path_editor.play()
        elif key in (glfw.KEY_LEFT_BRACKET, glfw.KEY_RIGHT_BRACKET) and cameras:
            step = 1 if key == glfw.KEY_RIGHT_BRACKET else -1
            self._jump((max(self.camera_index, -1 if step > 0 else 0) + step) % cameras)
        elif glfw.KEY_1 <= key <= glfw.KEY_9 and key - glfw.KEY_1 < len(views):
            self.panel.view, self.panel.view_changed = views[key - glfw.KEY_1], True

    def close(self) -> None:
        """Free the window and everything drawn in it."""
        self.path_editor.cancel()
        self.ui.close()
        self.ctx.gc_mode = None  # type: ignore[assignment]  # from here on there is no context left to free anything in
        self.window.destroy()


def _folder_of(path: Path) -> Path:
    """Where files about the bundle ``path`` go: beside it, or where that cannot be written, into the user's home."""
    folder = path.absolute().parent
    return folder if path != DEMO_BUNDLE and os.access(folder, os.W_OK) else Path.home()


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
