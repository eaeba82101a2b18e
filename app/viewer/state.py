"""The viewer's state: what is open, how it is shown, and how a frame of it is drawn; it knows no window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, printable, sentence_of
from duplex.app.core.files import Stamp, stamp_of
from duplex.app.render.backends.names import AUTO
from duplex.app.render.gpu import is_software
from duplex.app.render.readback import nan_warning, unseen_share
from duplex.app.render.renderer import Renderer
from duplex.app.render.timers import PassTimers
from duplex.app.render.views import Unseen
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.viewer.camera.camera_controls import Flight
from duplex.app.viewer.camera.kept_paths import keep_path, kept_path
from duplex.app.viewer.dialogs import Dialog, about_kept_path
from duplex.app.viewer.gui.file_dialog import FileDialog
from duplex.app.viewer.gui.layout import Layout
from duplex.app.viewer.gui.notices import Notices
from duplex.app.viewer.history import History, Undoable
from duplex.app.viewer.look import Inspection, Look, PictureSettings
from duplex.app.viewer.measurements import Measurements, probe_pixel
from duplex.app.viewer.open_scene import OpenScene
from duplex.app.viewer.painting.dynamic_resolution import STILL_SECONDS, DynamicResolution
from duplex.app.viewer.painting.scene_painter import Appearance, Box, ScenePainter
from duplex.app.viewer.painting.split_view import second_views
from duplex.app.viewer.settings import Settings

NOTICED = 0.01  # share of the covered pixels


class ViewerState:
    """The open scene and everything that a user has set; actions change it (:mod:`apply_actions`).

    ``layout``: of the window's present frame; ``drawn_size``: of the last picture, pixels; ``changes``: how often
    another scene or renderer was entered; ``unkept``: whether the path has
    changed since it was kept; ``dismissing``: whether drop-downs and dialogs close in the next frame;
    ``sees_unseen``: whether parts that no camera of the bake saw are in the
    picture, measured where the camera has come to rest.
    """

    def __init__(self, ctx: moderngl.Context, settings: Settings, backend: str = AUTO):
        self.ctx = ctx
        self.settings = settings
        self.backend = backend
        self.software = is_software(ctx)
        self.timers = PassTimers(ctx)
        self.painter = ScenePainter(ctx, self.timers)
        self.look = Look(
            scale=settings.scale,
            smooth=settings.smooth,
            frame_rate=settings.frame_rate,
            unseen=Unseen(settings.unseen),
            limited=settings.limited,
        )
        self.inspection = Inspection()
        self.pictures = PictureSettings()
        self.measurements = Measurements()
        self.notices = Notices()
        self.file_dialog = FileDialog()
        self.panel_visible, self.help_visible = True, False
        self.dialog: Dialog | None = None
        self.dismissing = False
        self.unkept = False
        self.history = History()
        self.scene: OpenScene | None = None
        self.layout = Layout((1, 1), (1, 1))
        self.resolution = DynamicResolution()
        self.drawn_size = (0, 0)
        self.changes = 0
        self.sees_unseen = False
        self._looked: tuple[int, Array] | None = None
        self._last_pose = np.eye(4)
        self._checked: Renderer | None = None

    @property
    def title(self) -> str:
        """The window's title."""
        return f"{printable(self.scene.path.name)} - duplex" if self.scene else "duplex"

    def set_look(self, look: Look) -> None:
        """Show the scene as ``look`` says; another view has other passes to time."""
        if look.view != self.look.view:
            self.timers.forget()
        self.look = look

    @property
    def undoable(self) -> Undoable | None:
        """What undo brings back of the open scene."""
        if self.scene is None:
            return None
        return Undoable(self.look, self.inspection, self.scene.editor.path, self.scene.editor.selected)

    def restore(self, found: Undoable, scene: OpenScene) -> None:
        """Show ``scene`` as undo found it."""
        self.set_look(found.look)
        self.inspection = found.inspection
        scene.editor.path, scene.editor.selected = found.path, found.selected

    # Opening and closing

    def show(self, bundle: Bundle, path: Path, camera: Camera | None = None, stamp: Stamp | None = None) -> None:
        """Show ``bundle``, which was read from ``path``, from ``camera``; raises :class:`DuplexError`.

        ``stamp``: the file's (:func:`~duplex.app.core.files.stamp_of`) before it was read.
        """
        scene = OpenScene(self.ctx, bundle, path, camera, self.backend)
        scene.stamp = stamp or scene.stamp
        self._leave()
        self.history.forget()
        self.enter(scene)
        left = kept_path(path, bundle)
        self.dialog = about_kept_path(left) if left else None
        self.look = replace(self.look, background=bundle.background)
        self.timers.forget()
        if stamp_of(path):  # a bundle in memory has no file to remember
            self.settings.opened(path)

    def keep_path(self, leaving: bool = False) -> None:
        """Keep the path for the next start, if it has changed; not while the user is asked about an older one."""
        if self.dialog is None or leaving:
            if self.scene and self.unkept:
                keep_path(self.scene.editor.path, self.scene.path, self.scene.bundle)
            self.unkept = False

    def _leave(self) -> None:
        """Finish what belongs to the open scene."""
        self.keep_path(leaving=True)
        self.cancel_recording()

    def enter(self, scene: OpenScene) -> None:
        """Show ``scene``, which may be the open one with another renderer."""
        self.scene = scene
        self.changes += 1
        self._forget_measurements()
        if self.inspection.second not in second_views(scene.renderer):
            self.inspection = replace(self.inspection, second=None)
        if self.look.view not in scene.renderer.views:
            self.look = replace(self.look, view=scene.renderer.views[0])

    def close_scene(self) -> None:
        """Have nothing open."""
        self._leave()
        self.scene = None
        self._checked = None
        self.inspection = replace(self.inspection, second=None)
        self._forget_measurements()

    def choose_backend(self) -> bool:
        """Measure which backend is fastest, where that is not known yet; returns whether anything was measured."""
        scene = self.scene
        if not scene or not scene.undecided or min(self.drawn_size) < 1:
            return False
        scene.choose_backend(self.drawn_size)
        self.timers.forget()
        self.enter(scene)
        return True

    def _forget_measurements(self) -> None:
        self.measurements = Measurements()
        self.painter.second.forget()

    # The frame

    def move(self, seconds: float, flight: Flight | None) -> None:
        """Move the camera for ``seconds``: along the path that is played, else by ``flight`` and towards its goal."""
        scene = self.scene
        assert scene
        if played := scene.editor.advance(seconds):
            scene.show(played)
            return
        if flight:
            scene.controls.move(flight.right, flight.up, flight.forward, seconds, flight.speed)
        scene.controls.update(seconds)

    def draw(self, seconds: float, out: moderngl.Framebuffer) -> None:
        """Draw the scene into ``out``, ``seconds`` after the last frame.

        Where the driver refuses it, a notice says so and the plain picture is shown from then on; where the driver
        refuses that too, the scene is closed.
        """
        scene = self.scene
        assert scene
        box = self.layout.scene_box
        scale = self.look.scale * self._movement_scale(scene, seconds)
        size = (max(round(box[2] * scale), 1), max(round(box[3] * scale), 1))
        try:
            self.compose(size, box, out)
            self.drawn_size = size
            self._look_for_unseen(scene)
            self._check_numbers(scene)
        except (DuplexError, moderngl.Error) as error:
            self.notices.error(sentence_of(error))
            self._show_plain()

    def compose(self, size: tuple[int, int], box: Box, out: moderngl.Framebuffer) -> None:
        """Draw all that is shown of the scene, at ``size``, into ``box`` of ``out``; raises :class:`DuplexError`."""
        assert self.scene
        try:
            self.painter.prepare(self.scene, self.inspection)
        except DuplexError as error:
            self.inspection = replace(self.inspection, second=None)
            self.notices.error(sentence_of(error))
        self.painter.paint(self.scene, self.appearance, size, box, out)

    @property
    def shown_in_full(self) -> bool:
        """Whether the camera has rested so long that the picture has its full resolution."""
        return self.resolution.resting > STILL_SECONDS

    def rests(self) -> bool:
        """Whether nothing moves, is measured, fades or is waited for."""
        scene = self.scene
        if self.notices.lines or self.file_dialog.is_waiting:
            return False
        if scene is None:
            return True
        busy = scene.controls.moving or scene.editor.playing or scene.editor.recording or scene.undecided
        return not busy and self.shown_in_full

    def record_some(self) -> None:
        """Draw some frames of a recording in progress."""
        if not self.scene:
            return
        try:
            if finished := self.scene.editor.record_some():
                self.notices.note(finished)
        except (DuplexError, OSError) as error:
            self.notices.error(sentence_of(error))

    def cancel_recording(self) -> None:
        """Cancel the recording in progress, if there is one."""
        if self.scene:
            self.scene.editor.cancel_recording()

    def probe(self, place: tuple[float, float]) -> None:
        """Probe the pixel at ``place``, in [0, 1] from the top left of the scene."""
        scene = self.scene
        assert scene
        camera = self.drawn_camera(scene)
        probed = probe_pixel(scene.renderer, camera, place, self.inspection.shells)
        self.measurements = replace(self.measurements, probed=probed)

    @property
    def appearance(self) -> Appearance:
        """What is shown of the scene."""
        return Appearance(self.look, self.inspection)

    def drawn_camera(self, scene: OpenScene) -> Camera:
        """The camera of the picture in the window, at its resolution."""
        return scene.controls.camera(*self.drawn_size)

    def window_camera(self, scene: OpenScene) -> Camera:
        """The camera of the picture in the window, in window coordinates."""
        return scene.controls.camera(*self.layout.scene_size)

    def _show_plain(self) -> None:
        """Show the plain picture, or where it is shown already, close the scene."""
        look, inspection = self.look.plain(), self.inspection.plain()
        if (look, inspection) == (self.look, self.inspection):
            self.close_scene()
        self.look = look
        self.inspection = inspection
        self.timers.forget()

    def _check_numbers(self, scene: OpenScene) -> None:
        """Warn of pixels that are no numbers, once for each renderer."""
        if scene.renderer is not self._checked:
            self._checked = scene.renderer
            if warning := nan_warning(scene.renderer, self.drawn_camera(scene)):
                self.notices.error(warning)

    def _look_for_unseen(self, scene: OpenScene) -> None:
        """Measure :attr:`sees_unseen` where the camera stands still, once for each place: it waits for the GPU."""
        frame = self.painter.frame
        pose = scene.controls.camera(1, 1).camera_to_world
        known = self._looked and self._looked[0] == self.changes and np.array_equal(self._looked[1], pose)
        if frame is None or scene.controls.moving or known:
            return
        self._looked = (self.changes, pose)
        self.sees_unseen = scene.renderer.has_unseen and unseen_share(frame) > NOTICED

    def _movement_scale(self, scene: OpenScene, seconds: float) -> float:
        """By how much the next frame is drawn coarser than the panel says, because the camera moves."""
        pose = scene.controls.camera(1, 1).camera_to_world
        moving = not np.array_equal(pose, self._last_pose)
        self._last_pose = pose
        self.resolution.wanted = 1000 / self.look.frame_rate
        cost = 1000 * seconds
        if self.timers.counting and self.timers.milliseconds and not self.software:
            cost = sum(self.timers.milliseconds.values())  # less than the frame where the screen's rate limits it
        return self.resolution.scale(cost, seconds, moving) if self.look.smooth else 1.0
