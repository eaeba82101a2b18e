"""What is declared to Dear ImGui in each frame: the panel, or a welcome, and what lies over the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from duplex.app.viewer.actions import Action, GoToReference, OpenFile, SetInspection, SetPanelWidth, ShowHelp
from duplex.app.viewer.crop_box import draw_crop_box
from duplex.app.viewer.dialogs import draw_dialog
from duplex.app.viewer.gui.grip import dragged
from duplex.app.viewer.gui.labels import button_in_the_middle, label_at, label_in_the_middle
from duplex.app.viewer.gui.overlay import Overlay
from duplex.app.viewer.gui.popups import close_popups
from duplex.app.viewer.measurements import Measurements
from duplex.app.viewer.open_scene import OpenScene
from duplex.app.viewer.painting.scene_painter import is_absent
from duplex.app.viewer.painting.split_view import draw_split_line, second_views
from duplex.app.viewer.panels.bundle import BundleFacts
from duplex.app.viewer.panels.camera import CameraFacts
from duplex.app.viewer.panels.file import FileFacts
from duplex.app.viewer.panels.help import draw_help
from duplex.app.viewer.panels.inspect import InspectFacts
from duplex.app.viewer.panels.panel import PanelFacts, Sections, draw_panel
from duplex.app.viewer.panels.path import draw_path_over_scene
from duplex.app.viewer.panels.speed import SpeedFacts
from duplex.app.viewer.panels.view import UnseenFacts
from duplex.app.viewer.panels.welcome import draw_welcome
from duplex.app.viewer.state import ViewerState

CAMERA_COLOR = 0xC0A0A0A0  # of the bundle's cameras, ABGR
MEASURE_COLOR = 0xFF30D0FF
CAMERA_SIZE = 0.04  # of a camera that is drawn, relative to the scene


class Interface:
    """Shows the viewer's state; what the user does with the widgets comes out as actions."""

    def __init__(self) -> None:
        self._sections = Sections()

    def draw(self, state: ViewerState, speed: SpeedFacts, seconds: float) -> list[Action]:
        """Declare everything for this frame, ``seconds`` after the last one; ``speed``: what the panel reports."""
        actions: list[Action] = []
        if state.dismissing:
            state.dismissing = False
            close_popups()
        files = FileFacts(state.settings.recent)
        if scene := state.scene:
            actions += _draw_over_scene(state, scene)
            if state.panel_visible:
                layout = state.layout
                actions += draw_panel(_panel_facts(state, scene, files, speed), self._sections, layout.left)
                if (edge := dragged("edge", layout.left, layout.size[1])) is not None:
                    actions.append(SetPanelWidth(edge / layout.scale))
        else:
            actions += draw_welcome(files, self._sections.file)
        browser = state.file_dialog.browser
        if browser.is_open and (chosen := browser.draw(state.layout.left)):
            actions.append(OpenFile(chosen))
        if state.dialog:
            actions += draw_dialog(state.dialog, state.layout.left)
        if state.help_visible and not draw_help():
            actions.append(ShowHelp(False))
        state.notices.draw(seconds, state.layout.left)
        return actions


def is_quiet(state: ViewerState) -> bool:
    """Whether nothing is drawn over the scene, so that only the panel has to be there."""
    scene = state.scene
    if (
        scene is None
        or state.notices.lines
        or state.look.show_cameras
        or state.look.crop
        or state.help_visible
        or state.dialog
    ):
        return False
    if state.file_dialog.browser.is_open:
        return False
    split_or_probe = state.inspection.second or state.inspection.probing or state.inspection.measuring
    absent = is_absent(state.look.view, scene, state.window_camera(scene))
    return not (split_or_probe or absent or scene.editor.busy or _hint(state, scene))


def _hint(state: ViewerState, scene: OpenScene) -> str:
    """Why the user sees nothing, and what to do; otherwise an empty text."""
    camera = state.window_camera(scene)
    if not Overlay(camera, state.layout.left).sees(*scene.bundle.bounds):
        return "Nothing of the scene is in view: press F"
    return ""


def _draw_measure(measured: Measurements, overlay: Overlay, size: float) -> None:
    """Declare the measured points as small crosses of ``size``, the line between them, and its length."""
    for point in measured.points:
        for axis in size / 2 * np.eye(3):
            overlay.line(np.stack([point - axis, point + axis]), MEASURE_COLOR)
    if measured.distance is None:
        return
    ends = np.stack(measured.points)
    overlay.line(ends, MEASURE_COLOR)
    x, y = overlay.places(ends.mean(0)[None])[0]
    if np.isfinite(x):
        label_at(f"{measured.distance:.4g}", float(x), float(y))


def _draw_snap_back(state: ViewerState, scene: OpenScene) -> list[Action]:
    """Declare, where a picture is not known from here, a button that goes to the nearest place from which it is."""
    camera, layout, second = state.window_camera(scene), state.layout, state.inspection.second
    left, width = layout.left, layout.size[0] - layout.left
    split = state.inspection.split if second else 1.0
    parts = [(state.look.view, 0.0, split), *([(second.view, split, 1.0)] if second else [])]
    for view, begin, end in parts:
        if is_absent(view, scene, camera):
            asked = button_in_the_middle(f"no {view} from here", "snap back", left + width * (begin + end) / 2)
            return [GoToReference(scene.nearest_reference(camera))] if asked else []
    return []


def _draw_over_scene(state: ViewerState, scene: OpenScene) -> Sequence[Action]:
    """Declare what lies over the scene: a hint, cameras, the path, the line of a split view."""
    layout, inspection = state.layout, state.inspection
    overlay = Overlay(state.window_camera(scene), layout.left)
    size = CAMERA_SIZE * scene.size
    if hint := _hint(state, scene):
        label_in_the_middle(hint, layout.left)
    if state.look.crop:
        draw_crop_box(state.look.crop, scene.bundle, overlay)
    if state.look.show_cameras:
        cameras = scene.bundle.cameras
        overlay.frusta([c.camera_to_world for c in cameras], [c.fov_y for c in cameras], size, CAMERA_COLOR)
    if state.panel_visible:
        draw_path_over_scene(scene.editor, overlay, size)
    actions = _draw_snap_back(state, scene)
    if inspection.measuring:
        _draw_measure(state.measurements, overlay, size)
    if not inspection.second:
        return actions
    labels = (str(inspection.drawn_view(state.look.view)), str(inspection.second))
    area = (layout.left, layout.size[0] - layout.left, layout.size[1])
    split = draw_split_line(inspection.split, area, labels)
    return [*actions, SetInspection(replace(inspection, split=split))] if split != inspection.split else actions


def _panel_facts(state: ViewerState, scene: OpenScene, files: FileFacts, speed: SpeedFacts) -> PanelFacts:
    """What the panel shows of ``scene``."""
    bundle, renderer = scene.bundle, scene.renderer
    inspect = InspectFacts(
        state.inspection,
        second_views(renderer),
        bundle.references,
        renderer.reference_at(state.drawn_camera(scene)),
        state.measurements,
    )
    return PanelFacts(
        look=state.look,
        views=renderer.views,
        unseen=UnseenFacts(renderer.has_unseen, state.sees_unseen),
        around=scene.box,
        camera=CameraFacts(
            scene.controls,
            state.look,
            len(bundle.cameras),
            scene.elevations is not None,
            [bookmark.name for bookmark in scene.bookmarks],
        ),
        pictures=state.pictures,
        editor=scene.editor,
        files=files,
        inspect=inspect,
        speed=speed,
        bundle=BundleFacts(bundle, scene.path.name, scene.bytes, scene.sizes),
    )
