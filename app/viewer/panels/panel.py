"""The panel at the window's left: its sections in order. They take facts and give actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from imgui_bundle import imgui

from duplex.app.render.views import View
from duplex.app.viewer.actions import Action, ShowHelp
from duplex.app.viewer.camera.camera_controls import CameraControls
from duplex.app.viewer.camera.keyframe_editor import KeyframeEditor
from duplex.app.viewer.look import Look
from duplex.app.viewer.panels import widgets
from duplex.app.viewer.panels.bundle import BundleFacts, draw_bundle
from duplex.app.viewer.panels.camera import draw_camera
from duplex.app.viewer.panels.file import FileFacts, FileSection
from duplex.app.viewer.panels.inspect import InspectFacts, draw_inspect
from duplex.app.viewer.panels.menu import draw_menu
from duplex.app.viewer.panels.path import draw_path
from duplex.app.viewer.panels.speed import SpeedFacts, draw_speed
from duplex.app.viewer.panels.view import UnseenFacts, draw_view

WIDTH = 300  # at first, at 96 dpi
NARROWEST = 200  # of the scene beside the panel: in a narrower window they share alike


@dataclass(frozen=True, eq=False)
class PanelFacts:
    """What the panel shows. Sections read ``controls`` and ``editor``, and change nothing."""

    look: Look
    views: Sequence[View]
    unseen: UnseenFacts
    has_limits: bool
    controls: CameraControls
    editor: KeyframeEditor
    files: FileFacts
    inspect: InspectFacts
    speed: SpeedFacts
    bundle: BundleFacts


def panel_width(visible: bool, wanted: float, width: float, scale: float) -> float:
    """How much of a window's ``width`` a panel of the ``wanted`` one takes; ``scale``: the content scale."""
    return min(wanted * scale, max(width - NARROWEST * scale, width / 2)) if visible else 0.0


def draw_panel(facts: PanelFacts, file: FileSection, width: float) -> list[Action]:
    """Declare the panel, which is ``width`` wide, for this frame."""
    size, scale = imgui.get_io().display_size, imgui.get_style().font_scale_dpi
    imgui.set_next_window_pos(imgui.ImVec2(0, 0), imgui.Cond_.always)
    imgui.set_next_window_size(imgui.ImVec2(width, size.y), imgui.Cond_.always)
    imgui.push_style_var(imgui.StyleVar_.window_rounding, 0)
    flags = imgui.WindowFlags_.no_title_bar | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_resize
    flags |= imgui.WindowFlags_.menu_bar
    imgui.begin("duplex", None, flags)
    imgui.pop_style_var()
    imgui.push_item_width(-105 * scale)
    actions = draw_menu(facts.files.recent) + _draw_sections(facts, file)
    imgui.separator()
    if widgets.button("keys and mouse (?)"):
        actions.append(ShowHelp(True))
    imgui.pop_item_width()
    imgui.end()
    return actions


def _draw_sections(facts: PanelFacts, file: FileSection) -> list[Action]:
    open_at_first, closed_at_first = imgui.TreeNodeFlags_.default_open, imgui.TreeNodeFlags_.none
    actions: list[Action] = []
    with _section("View", open_at_first) as is_open:
        if is_open:
            actions += draw_view(facts.look, facts.views, facts.unseen)
    with _section("Camera", open_at_first) as is_open:
        if is_open:
            actions += draw_camera(facts.controls, facts.look, len(facts.bundle.bundle.cameras), facts.has_limits)
    with _section("File", closed_at_first) as is_open:
        if is_open:
            actions += file.draw(facts.files, is_open=True)
    with _section("Inspect", closed_at_first) as is_open:
        if is_open:
            actions += draw_inspect(facts.inspect)
    with _section("Path", closed_at_first) as is_open:
        if is_open:
            actions += draw_path(facts.editor)
    with _section("Speed", open_at_first) as is_open:
        if is_open:
            draw_speed(facts.speed)
    with _section("Bundle", closed_at_first) as is_open:
        if is_open:
            draw_bundle(facts.bundle)
    return actions


@contextmanager
def _section(title: str, flags: int) -> Iterator[bool]:
    """Declare a section's header; gives whether the section is open, and its widgets an id space of their own."""
    is_open = bool(widgets.collapsing_header(title, flags))
    if is_open:
        imgui.push_id(title)
    yield is_open
    if is_open:
        imgui.pop_id()
