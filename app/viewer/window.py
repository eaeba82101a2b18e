"""The viewer's window. :meth:`Viewer.frame` is one turn of its loop: input, scene, interface."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import glfw  # before imgui_bundle, which would point it at its own copy of the library
import moderngl

from duplex.app.core import interrupts
from duplex.app.core.files import Stamp
from duplex.app.render.backends.names import AUTO
from duplex.app.render.gpu import describe
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.viewer.actions import OpenFile
from duplex.app.viewer.apply_actions import apply
from duplex.app.viewer.files.hot_reload import WATCH_SECONDS, HotReload
from duplex.app.viewer.gui.glfw_window import content_scale, open_window
from duplex.app.viewer.gui.imgui_platform import Ui
from duplex.app.viewer.gui.kept_pixels import KeptPixels
from duplex.app.viewer.gui.layout import Layout
from duplex.app.viewer.gui.panel_cache import PanelCache
from duplex.app.viewer.input.events import Input
from duplex.app.viewer.interface import Interface, is_quiet
from duplex.app.viewer.panels.panel import panel_width
from duplex.app.viewer.panels.speed import PLOTTED_FRAMES, SpeedFacts
from duplex.app.viewer.settings import load_settings
from duplex.app.viewer.state import ViewerState
from duplex.assets import DEMO_BUNDLE

EMPTY_COLOR = (0.05, 0.055, 0.065)  # of a window in which nothing is open
LONGEST_STEP = 0.1  # seconds that a camera moves in one frame at most
SETTLING_SECONDS = 1.0  # after an event, in which tooltips appear and the picture gets its full resolution
KEEPING_SECONDS = 2.0  # between two times that the path is kept
SMOOTHING = 0.9  # weight of earlier frames in the mean frame time


class Viewer:
    """A window in which bundles are opened; ``size``: by default as large as last time.

    ``backend``: with ``auto``, the fastest one on this machine is measured after the first frame of each bundle.
    """

    def __init__(self, size: tuple[int, int] | None = None, backend: str = AUTO):
        settings = load_settings()
        self.window = open_window("duplex", size or settings.size, fit=not size)
        self.ctx: moderngl.Context = self.window.ctx
        self.ctx.gc_mode = "auto"
        self.ui = Ui()
        self.state = ViewerState(self.ctx, settings, backend)
        self.input = Input(self.window, self.ui)
        self.interface = Interface()
        self.hot_reload = HotReload()
        self.panel_cache = PanelCache(self.ctx, enabled=self.state.software)
        self.kept_scene = KeptPixels(self.ctx)
        self.ui.touched = self.panel_cache.invalidate
        self.driver = describe(self.ctx)
        self.frame_times: deque[float] = deque(maxlen=PLOTTED_FRAMES)
        self.frame_milliseconds = 0.0
        self._last = time.perf_counter()
        self._changes = 0
        self._kept = 0.0

    def show(
        self,
        bundle: Bundle,
        path: Path,
        camera: Camera | None = None,
        stamp: Stamp | None = None,
        background: tuple[float, float, float] | None = None,
    ) -> None:
        """Show ``bundle``, which was read from ``path``; raises :class:`~duplex.app.core.errors.DuplexError`.

        ``camera``: the first one; ``stamp``: the file's before it was read; ``background``: RGB, by default the
        bundle's own.
        """
        self.state.show(bundle, path, camera, stamp)
        if background:
            self.state.look = replace(self.state.look, background=background)
        self._set_title()

    def run(self) -> None:
        """Draw until the window is closed."""
        if self.state.software:
            driver = self.driver.partition(" (")[0]
            self.state.notices.note(f"The CPU draws ({driver}): a graphics card is much faster")
        if self.state.scene and self.state.scene.path == DEMO_BUNDLE:
            self.state.notices.note("This is the demo. Drop a bundle here, or press Ctrl+O; ? lists keys and mouse")
        try:
            while not self.window.is_closing and not interrupts.pending():
                self.frame()
                self.input.swap()
                if self.state.choose_backend():
                    self._last = time.perf_counter()  # the measurement is no slow frame
                elif self.rests():
                    self._wait()
        finally:
            self.close()

    def frame(self) -> None:
        """React to what has come in, and draw one frame into the window (not yet swapped)."""
        now = time.perf_counter()
        seconds = self._count_time(now)
        state = self.state
        self.apply_input()
        self.hot_reload.check(state, now)
        if state.unkept and now - self._kept > KEEPING_SECONDS:
            self._kept = now
            state.keep_path()
        state.record_some()
        if min(glfw.get_framebuffer_size(self.window._window)) < 1:  # minimised
            recording = state.scene and state.scene.editor.recording
            glfw.wait_events_timeout(0.0 if recording else 0.1)
            return
        if chosen := state.file_dialog.poll():
            apply(OpenFile(chosen), state)
        self._draw_scene(seconds)
        self._draw_interface(now, seconds)
        self._set_title()

    def rests(self) -> bool:
        """Whether the next frame would be as the last one, whenever it is drawn."""
        settled = time.perf_counter() - self.input.last_event > SETTLING_SECONDS
        return settled and not self.ui.typing and self.input.flight() is None and self.state.rests()

    def _wait(self) -> None:
        """Wait for an event, or for a file that changes."""
        self.state.keep_path()
        changes = self.state.changes
        while not self.window.is_closing and not interrupts.pending():
            begin = time.perf_counter()
            glfw.wait_events_timeout(WATCH_SECONDS)
            now = time.perf_counter()
            self.hot_reload.check(self.state, now)
            if now - begin < 0.9 * WATCH_SECONDS or self.state.changes != changes or self.state.notices.lines:
                break
        self.input.last_event = self._last = time.perf_counter()

    def apply_input(self) -> None:
        """Apply what the user has asked for with mouse and keys since the last frame."""
        self._lay_out()
        for action in self.input.take():
            apply(action, self.state)

    def close(self) -> None:
        """Free the window and everything drawn in it."""
        state = self.state
        settings = state.settings
        state.keep_path(leaving=True)
        state.cancel_recording()
        settings.scale = state.look.scale
        settings.smooth = state.look.smooth
        settings.frame_rate = state.look.frame_rate
        settings.unseen = state.look.unseen
        settings.limited = state.look.limited
        if not self.window.fullscreen:
            settings.size = list(glfw.get_window_size(self.window._window))
        settings.save()
        self.ui.close()
        self.ctx.gc_mode = None  # type: ignore[assignment]  # from here on there is no context left to free anything in
        self.window.destroy()

    def _count_time(self, now: float) -> float:
        """Note the time of the last frame; returns it in seconds."""
        seconds = now - self._last
        self._last = now
        mean = self.frame_milliseconds or 1000 * seconds
        self.frame_milliseconds = SMOOTHING * mean + (1 - SMOOTHING) * 1000 * seconds
        return seconds

    def _lay_out(self) -> None:
        """Divide the window between panel and scene."""
        size = glfw.get_window_size(self.window._window)
        pixels = glfw.get_framebuffer_size(self.window._window)
        scale = content_scale(self.window._window, size[0], pixels[0])
        shown = self.state.panel_visible and self.state.scene is not None
        self.state.layout = Layout(size, pixels, scale, panel_width(shown, self.state.settings.panel, size[0], scale))
        self.ui.left = self.state.layout.left

    def _draw_scene(self, seconds: float) -> None:
        state = self.state
        if state.scene:
            if not state.scene.fitted:
                state.scene.fit(state.layout.scene_size)
            step = min(seconds, LONGEST_STEP)
            state.move(step, self.input.flight())
            self._lay_out()
            self._draw_or_restore(seconds)
        if not state.scene:
            self._lay_out()
            self.ctx.screen.use()
            self.ctx.screen.clear(*EMPTY_COLOR)

    def _draw_or_restore(self, seconds: float) -> None:
        """Draw the scene, or where the CPU draws and nothing has changed, restore its pixels: typing goes on faster."""
        state, size = self.state, self.state.layout.pixels
        pose = state.scene.controls.pose if state.scene else ()
        timed = bool(state.timers.milliseconds) or not state.timers.counting
        drawn = (state.changes, state.look, state.inspection, state.layout, pose)
        shown = drawn if state.shown_in_full and timed else None
        if state.software and shown and self.kept_scene.restore(shown, size, self.ctx.screen):
            return
        state.draw(seconds, self.ctx.screen)
        if state.software and shown:
            self.kept_scene.store(shown, size, self.ctx.screen)

    def _draw_interface(self, now: float, seconds: float) -> None:
        """Draw panel and notices, or restore the panel's pixels where nothing has changed."""
        state = self.state
        layout = state.layout
        self.frame_times.append(self.frame_milliseconds)
        if state.changes != self._changes:
            self._changes = state.changes
            self.panel_cache.invalidate()
        quiet = layout.left and not self.ui.in_use and is_quiet(state)
        if self.panel_cache.enabled and quiet and self.panel_cache.restore(layout.panel_size, now, self.ctx.screen):
            return
        self.ui.begin(layout)
        self._probe()
        actions = self.interface.draw(state, self._speed(), min(seconds, LONGEST_STEP))
        self.ctx.screen.use()  # a probe draws into targets of its own
        self.ui.end()
        self.panel_cache.store(layout.panel_size, now, self.ctx.screen)
        for action in actions:
            apply(action, state)

    def _probe(self) -> None:
        """Probe the pixel under the mouse, where that is asked for."""
        state = self.state
        io = self.ui.io
        if not state.scene or not state.inspection.probing or io.want_capture_mouse:
            return
        width, height = state.layout.scene_size
        x, y = io.mouse_pos.x - state.layout.left, io.mouse_pos.y
        if 0 <= x < width and 0 <= y < height:
            state.probe((x / width, y / height))

    def _speed(self) -> SpeedFacts:
        state = self.state
        renderer = state.scene.renderer if state.scene else None
        return SpeedFacts(
            passes=state.timers.milliseconds,
            has_timers=state.timers.counting,
            frame_milliseconds=self.frame_milliseconds,
            times=self.frame_times,
            picture=state.drawn_size,
            backend=renderer.backend.name if renderer else "",
            driver=self.driver,
            gpu_bytes=renderer.gpu_bytes if renderer else 0,
        )

    def _set_title(self) -> None:
        if self.window.title != self.state.title:
            self.window.title = self.state.title
