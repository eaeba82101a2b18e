"""What a window shows in which nothing is open."""

from __future__ import annotations

from imgui_bundle import imgui

from duplex.app.viewer.actions import Action
from duplex.app.viewer.panels.file import FileFacts, FileSection


def draw_welcome(facts: FileFacts, section: FileSection) -> list[Action]:
    """Declare a small window with the section *File* in the middle."""
    size, scale = imgui.get_io().display_size, imgui.get_style().font_scale_dpi
    imgui.set_next_window_pos(imgui.ImVec2(size.x / 2, size.y / 2), imgui.Cond_.always, imgui.ImVec2(0.5, 0.5))
    imgui.set_next_window_size(imgui.ImVec2(min(380 * scale, size.x - 16), 0), imgui.Cond_.always)
    flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_resize
    imgui.begin("Welcome to duplex", None, flags)
    imgui.text_wrapped("Drop a bundle here, or choose one. duplex-bake makes them from trained NeRFs.")
    imgui.dummy(imgui.ImVec2(0, 4 * scale))
    imgui.push_item_width(-60 * scale)
    actions = section.draw(facts, is_open=False)
    imgui.pop_item_width()
    imgui.end()
    return actions
