"""What is declared to Dear ImGui in each frame: the panel, or a welcome, and what lies over the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import glfw

from duplex.app.core.errors import DuplexError, sentence_of
from duplex.app.scene.camera import Camera
from duplex.app.viewer.keys import draw_help
from duplex.app.viewer.notices import say_in_the_middle
from duplex.app.viewer.open_scene import Scene
from duplex.app.viewer.overlay import Overlay
from duplex.app.viewer.panels.file import draw_welcome
from duplex.app.viewer.panels.panel import FrameFacts, draw_panel

if TYPE_CHECKING:
    from duplex.app.viewer.window import Viewer

CAMERAS, CAMERA_SIZE = 0xC0A0A0A0, 0.04  # the colour of the bundle's, ABGR, and their size in the scene's


class Interface:
    """Declares the widgets of ``viewer``, which write into its parts."""

    def __init__(self, viewer: Viewer):
        self.viewer = viewer

    @property
    def quiet(self) -> bool:
        """Whether there is nothing but a panel that nobody uses."""
        viewer, scene = self.viewer, self.viewer.scene
        if scene is None or not viewer.ui.left or viewer.ui.in_use:
            return False
        over_scene = viewer.notices.lines or viewer.panel.frusta or viewer.inspection.over_scene
        complaint = self._complaint(scene, self.overlay(scene))
        return not (over_scene or viewer.panel.help_visible or scene.path_editor.busy or complaint)

    def draw(self, seconds: float) -> None:
        """Declare everything for this frame, ``seconds`` after the last one."""
        viewer = self.viewer
        if viewer.scene:
            overlay = self.overlay(viewer.scene)
            self._draw_over(viewer.scene, overlay)
            self._draw_panel(viewer.scene, overlay.camera)
        else:
            draw_welcome(viewer.file_menu, viewer.settings.recent)
        if viewer.panel.help_visible:
            viewer.panel.help_visible = draw_help()
        viewer.notices.draw(seconds, viewer.ui.left)

    def overlay(self, scene: Scene) -> Overlay:
        """What draws over ``scene``, in window coordinates."""
        width, height = glfw.get_window_size(self.viewer.window._window)
        left = self.viewer.ui.left
        return Overlay(scene.controls.camera(max(round(width - left), 1), max(height, 1)), left)

    def _complaint(self, scene: Scene, overlay: Overlay) -> str:
        """Why there is nothing to see, and what to do."""
        if not overlay.sees(*scene.bundle.bounds):
            return "Nothing of the scene is in view: press F"
        if self.viewer.inspection.misses(scene, self.viewer.panel.view, overlay.camera):
            return "The bundle has no picture from here: go to one, under Inspect"
        return ""

    def _draw_over(self, scene: Scene, overlay: Overlay) -> None:
        viewer = self.viewer
        if complaint := self._complaint(scene, overlay):
            say_in_the_middle(complaint, viewer.ui.left)
        if viewer.panel.frusta:
            cameras, size = scene.bundle.cameras, CAMERA_SIZE * scene.size
            overlay.frusta([c.camera_to_world for c in cameras], [c.fov_y for c in cameras], size, CAMERAS)
        if viewer.panel.visible:
            scene.path_editor.draw_way(overlay, CAMERA_SIZE * scene.size)
        if viewer.inspection.compared:
            width, height = glfw.get_window_size(viewer.window._window)
            view = viewer.inspection.drawn(viewer.panel.view)
            viewer.inspection.draw_split(viewer.ui.left, width - viewer.ui.left, height, str(view))
        self._probe(scene, overlay)

    def _probe(self, scene: Scene, overlay: Overlay) -> None:
        """Look at the pixel under the mouse, where that has been asked for."""
        io, camera, inspection = self.viewer.ui.io, overlay.camera, self.viewer.inspection
        place = (io.mouse_pos.x - overlay.left, io.mouse_pos.y)
        inside = 0 <= place[0] < camera.width and 0 <= place[1] < camera.height
        if inspection.probing and inside and not io.want_capture_mouse:
            share = (place[0] / camera.width, place[1] / camera.height)
            inspection.look(scene, self.viewer.drawn_camera(scene), share)

    def _draw_panel(self, scene: Scene, camera: Camera) -> None:
        viewer, inspection, editor = self.viewer, self.viewer.inspection, scene.path_editor
        facts = FrameFacts(
            viewer.timers.milliseconds,
            viewer.timers.counting,
            viewer.frame_milliseconds,
            viewer.drawn_size,
            viewer.driver,
            scene.path.name,
            scene.bytes,
            scene.renderer.backend.name,
            lambda: inspection.draw_times(scene.renderer.gpu_bytes),
        )
        more = {
            "File": lambda: viewer.file_menu.draw(viewer.settings.recent, is_open=True),
            "Inspect": lambda: inspection.draw_panel(scene, viewer.drawn_camera(scene)),
            "Path": lambda: editor.draw_panel(camera, scene.show, self._record, viewer.notices),
        }
        draw_panel(viewer.panel, scene.bundle, scene.renderer.views, scene.controls, facts, more)

    def _record(self) -> None:
        scene = self.viewer.scene
        assert scene
        red, green, blue = self.viewer.panel.background
        try:
            scene.path_editor.record(scene.renderer, (red, green, blue, 1.0))
        except (DuplexError, OSError) as error:
            self.viewer.notices.error(sentence_of(error))
