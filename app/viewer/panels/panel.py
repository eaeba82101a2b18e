"""The panel at the window's left: its sections in order. They take facts and give actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from imgui_bundle import imgui

from duplex.app.render.views import View
from duplex.app.viewer.actions import Action, ShowHelp
from duplex.app.viewer.camera.keyframe_editor import KeyframeEditor
from duplex.app.viewer.look import Box, Look, PictureSettings
from duplex.app.viewer.panels import widgets
from duplex.app.viewer.panels.bundle import BundleFacts, draw_bundle
from duplex.app.viewer.panels.camera import CameraFacts, CameraSection
from duplex.app.viewer.panels.file import FileFacts, FileSection
from duplex.app.viewer.panels.inspect import InspectFacts, draw_inspect
from duplex.app.viewer.panels.menu import draw_menu
from duplex.app.viewer.panels.path import draw_path
from duplex.app.viewer.panels.picture import draw_picture
from duplex.app.viewer.panels.speed import SpeedFacts, draw_speed
from duplex.app.viewer.panels.view import UnseenFacts, draw_view

WIDTH = 300  # at first, at 96 dpi
NARROWEST = 200  # of the scene beside the panel: in a narrower window they share alike


@dataclass(frozen=True, eq=False)
class PanelFacts:
    """What the panel shows. Sections read the camera's controls and the ``editor``, and change nothing."""

    look: Look
    views: Sequence[View]
    unseen: UnseenFacts
    around: Box
    camera: CameraFacts
    pictures: PictureSettings
    editor: KeyframeEditor
    files: FileFacts
    inspect: InspectFacts
    speed: SpeedFacts
    bundle: BundleFacts


def panel_width(visible: bool, wanted: float, width: float, scale: float) -> float:
    """How much of a window's ``width`` a panel of the ``wanted`` one takes; ``scale``: the content scale."""
    return min(wanted * scale, max(width - NARROWEST * scale, width / 2)) if visible else 0.0


@dataclass(frozen=True)
class Sections:
    """The sections in which something is typed."""

    file: FileSection = field(default_factory=FileSection)
    camera: CameraSection = field(default_factory=CameraSection)


def draw_panel(facts: PanelFacts, sections: Sections, width: float) -> list[Action]:
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
    actions = draw_menu(facts.files.recent) + _draw_sections(facts, sections)
    imgui.separator()
    if widgets.button("keys and mouse (?)"):
        actions.append(ShowHelp(True))
    imgui.pop_item_width()
    imgui.end()
    return actions


def _draw_sections(facts: PanelFacts, sections: Sections) -> list[Action]:
    open_at_first, closed_at_first = imgui.TreeNodeFlags_.default_open, imgui.TreeNodeFlags_.none
    actions: list[Action] = []
    with _section("View", open_at_first) as is_open:
        if is_open:
            actions += draw_view(facts.look, facts.views, facts.unseen, facts.around)
    with _section("Camera", open_at_first) as is_open:
        if is_open:
            actions += sections.camera.draw(facts.camera)
    with _section("Picture", closed_at_first) as is_open:
        if is_open:
            actions += draw_picture(facts.pictures)
    with _section("File", closed_at_first) as is_open:
        if is_open:
            actions += sections.file.draw(facts.files, is_open=True)
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
