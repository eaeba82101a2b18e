"""The viewer's window: events in, frames out. :meth:`Viewer.frame` is one turn of its loop."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import glfw  # before imgui_bundle, which would point it at its own copy of the library
import moderngl
import numpy as np

from duplex import shaders
from duplex.app.core.errors import DuplexError, printable, sentence_of
from duplex.app.core.files import Stamp, expanded, stamp_of
from duplex.app.render.backends.names import AUTO
from duplex.app.render.frame import FrameOptions
from duplex.app.render.gpu import describe, is_software
from duplex.app.render.passes.screen import ScreenPass
from duplex.app.render.readback import nan_warning
from duplex.app.render.renderer import Renderer
from duplex.app.render.timers import PassTimers
from duplex.app.scene.bundle import Bundle, read_bundle
from duplex.app.scene.camera import Camera
from duplex.app.viewer.actions import perform
from duplex.app.viewer.dynamic_resolution import DynamicResolution
from duplex.app.viewer.imgui_platform import Ui, content_scale, open_window
from duplex.app.viewer.input import Events
from duplex.app.viewer.interface import Interface
from duplex.app.viewer.notices import Notices
from duplex.app.viewer.open_scene import Scene
from duplex.app.viewer.panel_cache import KeptPanel
from duplex.app.viewer.panels.file import FileMenu
from duplex.app.viewer.panels.inspect import Inspection
from duplex.app.viewer.panels.panel import PanelState, room_for_panel
from duplex.app.viewer.settings import load_settings

EMPTY = (0.05, 0.055, 0.065)  # the colour of a window in which nothing is open
WATCH_SECONDS = 0.5  # between looks at whether files have changed


class Viewer:
    """A window of ``size``, by default as large as it was last time, in which bundles are opened.

    ``backend``: with ``auto`` the fastest one here is found out behind the first frame of each bundle.
    """

    def __init__(self, size: tuple[int, int] | None = None, backend: str = AUTO):
        self.settings = load_settings()
        self.window = open_window("duplex", size or self.settings.size, fit=not size)
        self.ctx: moderngl.Context = self.window.ctx
        self.ctx.gc_mode = "auto"
        self.backend, self.timers = backend, PassTimers(self.ctx)
        self.screen = ScreenPass(self.ctx)
        self.ui = Ui()
        self.panel = PanelState(
            scale=self.settings.scale, smooth=self.settings.smooth, frame_rate=self.settings.frame_rate
        )
        self.notices, self.file_menu, self.inspection = Notices(), FileMenu(), Inspection()
        self.scene: Scene | None = None
        self.driver, self.software = describe(self.ctx), is_software(self.ctx)
        self.resolution, self.last_pose = DynamicResolution(), np.eye(4)
        self.drawn_size = (0, 0)
        self.checked: Renderer | None = None
        self.last, self.frame_milliseconds = time.perf_counter(), 0.0
        self.watched, self.shader_stamp = 0.0, shaders.stamp()
        self.events, self.interface = Events(self), Interface(self)
        self.kept_panel = KeptPanel(self.ctx, self.software)
        self.ui.touched = self.kept_panel.touch

    def show(self, bundle: Bundle, path: Path, camera: Camera | None = None, stamp: Stamp | None = None) -> None:
        """Show ``bundle``, which was read from ``path``, from ``camera``; raises :class:`DuplexError`.

        ``stamp``: the file's (:func:`~duplex.app.core.files.stamp_of`) before it was read.
        """
        scene = Scene(self.ctx, bundle, path, self.timers, camera, self.backend)
        scene.stamp = stamp or scene.stamp
        if self.scene:
            self.scene.path_editor.cancel()
        self._enter(scene)
        self.panel.background = list(bundle.background)
        self.timers.forget()
        self.window.title = f"{printable(path.name)} - duplex"
        self.settings.opened(path)

    def _enter(self, scene: Scene) -> None:
        """Make ``scene``, or what it has become, the one that is shown."""
        self.scene = scene
        self.inspection.entered(scene)
        if self.panel.view not in scene.renderer.views:
            self.panel.view = scene.renderer.views[0]
        self.kept_panel.touch()

    def open(self, path: Path) -> None:
        """Show the bundle ``path``; where that fails, what is open stays, and the reason is told."""
        try:
            path = expanded(path)
            stamp = stamp_of(path)
            self.show(read_bundle(path), path, stamp=stamp)
        except (DuplexError, OSError) as error:
            self.notices.error(sentence_of(error))

    def _close_scene(self) -> None:
        """Have nothing open."""
        if self.scene:
            self.scene.path_editor.cancel()
        self.scene, self.checked, self.inspection.compared = None, None, None
        self.inspection.forget()
        self.file_menu.closing, self.window.title = False, "duplex"

    def run(self) -> None:
        """Draw until the window is closed."""
        if self.software:
            self.notices.note(f"The CPU draws ({self.driver.partition(' (')[0]}): a graphics card is much faster")
        try:
            while not self.window.is_closing:
                self.frame()
                self.events.swap()
                if self.scene and self.scene.undecided and min(self.drawn_size) > 0:
                    self.scene.choose_backend(self.drawn_size)
                    self._enter(self.scene)
                    self.last = time.perf_counter()  # the choice is no slow frame
        finally:
            self.close()

    def frame(self) -> None:
        """React to what has come in and draw one frame into the window (not yet swapped)."""
        now = time.perf_counter()
        seconds, self.last = now - self.last, now
        self.frame_milliseconds = (
            0.9 * self.frame_milliseconds + 0.1 * 1000 * seconds if self.frame_milliseconds else 1000 * seconds
        )
        self._watch(now)
        if self.scene:
            self.scene.path_editor.record_some(self.notices)
        buffer_size = glfw.get_framebuffer_size(self.window._window)
        if min(buffer_size) < 1:  # minimised
            glfw.wait_events_timeout(0.0 if self.scene and self.scene.path_editor.recording else 0.1)
            return
        chosen = self.file_menu.take()
        if chosen:
            self.open(chosen)
        if self.file_menu.closing:
            self._close_scene()
        size = glfw.get_window_size(self.window._window)
        scale = content_scale(self.window._window, size[0], buffer_size[0])
        if self.scene:
            self._move(self.scene, min(seconds, 0.1))
            self.ui.left = room_for_panel(self.panel, size[0], scale)
            self._draw(self.scene, buffer_size, seconds)
        if not self.scene:
            self.ui.left = 0.0
            self.ctx.screen.use()
            self.ctx.screen.clear(*EMPTY)
        strip = (self.box(buffer_size)[0], buffer_size[1])
        self.inspection.times.append(self.frame_milliseconds)
        quiet = self.kept_panel.enabled and self.interface.quiet
        if quiet and self.kept_panel.put_back(strip, now, self.ctx.screen):
            return
        self.ui.begin(size, buffer_size, scale)
        self.interface.draw(min(seconds, 0.1))
        self.ctx.screen.use()  # some instruments draw for themselves
        self.ui.end()
        self.kept_panel.keep(strip, now, self.ctx.screen)

    def _draw(self, scene: Scene, buffer_size: tuple[int, int], seconds: float) -> None:
        """Draw the scene into what the panel leaves of the window.

        Where the driver refuses what is asked for, that is told and the plain picture is shown from then on; where it
        refuses that too, nothing is open any more.
        """
        scale, box = self.panel.scale * self._movement_scale(scene, seconds), self.box(buffer_size)
        size = (max(round(box[2] * scale), 1), max(round(box[3] * scale), 1))
        try:
            self.compose(scene, size, box, self.ctx.screen)
            self.drawn_size = size
            self._check(scene)
        except (DuplexError, moderngl.Error) as error:
            self.notices.error(sentence_of(error))
            if not (self.panel.plain() | self.inspection.plain()):
                self._close_scene()

    def _check(self, scene: Scene) -> None:
        """Say what is wrong with what ``scene`` draws, once for every renderer."""
        if scene.renderer is not self.checked:
            self.checked = scene.renderer
            if words := nan_warning(scene.renderer, self.drawn_camera(scene)):
                self.notices.error(words)

    def _watch(self, now: float) -> None:
        """Read the bundle again when its file has changed, and build the shaders again when theirs have."""
        if not self.scene or now - self.watched < WATCH_SECONDS:
            return
        self.watched = now
        try:
            stamp, old = shaders.stamp(), self.shader_stamp
            self.shader_stamp = stamp
            if self.scene.changed():
                self._enter(self.scene.read_again())
                self.notices.note(f"{self.scene.path.name} has changed: read again")
            elif stamp != old:
                screen, made = ScreenPass(self.ctx), self.scene.renewed()
                if min(self.drawn_size) > 0:  # what is shown now must go on
                    view = self.inspection.drawn(self.panel.view)
                    made.renderer.draw(self.drawn_camera(made), FrameOptions(view, display=self.inspection.display))
                self._enter(made)
                self.screen = screen
                self.notices.note("shaders have changed: built again")
        except (DuplexError, OSError, moderngl.Error) as error:  # and what was there goes on
            self.notices.error(sentence_of(error))

    def compose(
        self, scene: Scene, size: tuple[int, int], box: tuple[int, int, int, int], out: moderngl.Framebuffer
    ) -> None:
        """Draw all that is shown of the scene, at ``size``, into ``box`` of ``out``; raises :class:`DuplexError`."""
        camera = scene.controls.camera(*size)
        view = self.inspection.drawn(self.panel.view)
        options = FrameOptions(view, shells=self.inspection.shown, timers=self.timers)
        texture = self._picture(scene.renderer, camera, options)
        with self.timers.measure("screen"):
            self.screen.render(texture, self.panel.backdrop, box, box, out=out)
        if self.inspection.compared:
            self._draw_second(scene, camera, box, out)
        scene.draw_wires(self.inspection.wires, scene.controls.camera(*box[2:]), box, out)

    def _picture(self, renderer: Renderer, camera: Camera, options: FrameOptions) -> moderngl.Texture:
        options = replace(options, background=self.panel.backdrop.drawn, display=self.inspection.display)
        texture = renderer.draw(camera, options).texture
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        return texture

    def _draw_second(
        self, scene: Scene, camera: Camera, box: tuple[int, int, int, int], out: moderngl.Framebuffer
    ) -> None:
        """Draw what the picture is compared with over its right part."""
        left = round(self.inspection.split * box[2])
        try:
            renderer, view, shells = self.inspection.second(scene)
        except DuplexError as error:
            self.inspection.compared = None
            self.notices.error(sentence_of(error))
            return
        texture = self._picture(renderer, camera, FrameOptions(view, shells=shells))
        part = (box[0] + left, box[1], box[2] - left, box[3])
        self.screen.render(texture, self.panel.backdrop, box, part, out=out)

    def drawn_camera(self, scene: Scene) -> Camera:
        """The camera of the picture in the window."""
        return scene.controls.camera(*self.drawn_size)

    def box(self, buffer_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Where the scene is in the window's framebuffer: left, bottom, width, height."""
        left = round(self.ui.left * buffer_size[0] / max(glfw.get_window_size(self.window._window)[0], 1))
        return left, 0, max(buffer_size[0] - left, 1), buffer_size[1]

    def _movement_scale(self, scene: Scene, seconds: float) -> float:
        """How much coarser than the panel says the next frame is drawn."""
        pose = scene.controls.camera(1, 1).camera_to_world
        moving, self.last_pose = not np.array_equal(pose, self.last_pose), pose
        self.resolution.wanted = 1000 / self.panel.frame_rate
        cost = 1000 * seconds
        if self.timers.counting and self.timers.milliseconds and not self.software:
            cost = sum(self.timers.milliseconds.values())  # where a screen's rate limits frames, they cost less
        return self.resolution.scale(cost, seconds, moving) if self.panel.smooth else 1.0

    def _move(self, scene: Scene, seconds: float) -> None:
        if self.panel.view_changed:
            self.timers.forget()
            self.panel.view_changed = False
        if self.panel.wanted:
            wanted, self.panel.wanted = self.panel.wanted, None
            try:
                perform(self, scene, wanted)
            except (DuplexError, OSError) as error:
                self.notices.error(sentence_of(error))
        if self.panel.camera_requested is not None:
            scene.jump(self.panel.camera_requested)
            self.panel.camera_requested = None
        played = scene.path_editor.advance(seconds)
        if played:
            scene.show(played)
            return
        self.events.held(seconds)
        scene.controls.update(seconds)

    def close(self) -> None:
        """Free the window and everything drawn in it."""
        if self.scene:
            self.scene.path_editor.cancel()
        panel, settings = self.panel, self.settings
        settings.scale, settings.smooth, settings.frame_rate = panel.scale, panel.smooth, panel.frame_rate
        if not self.window.fullscreen:
            settings.size = list(glfw.get_window_size(self.window._window))
        settings.save()
        self.ui.close()
        self.ctx.gc_mode = None  # type: ignore[assignment]  # from here on there is no context left to free anything in
        self.window.destroy()
