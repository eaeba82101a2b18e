"""A vertical line that the mouse drags."""

from __future__ import annotations

from imgui_bundle import imgui

SIZE = 12  # pixels around the line where the mouse takes hold of it


def dragged(name: str, place: float, height: float) -> float | None:
    """Declare an invisible handle over the line at ``place``; returns where the mouse is while it drags the line."""
    grip = SIZE * imgui.get_style().font_scale_dpi
    imgui.set_next_window_pos(imgui.ImVec2(place - grip / 2, 0), imgui.Cond_.always)
    imgui.set_next_window_size(imgui.ImVec2(grip, height), imgui.Cond_.always)
    imgui.push_style_var(imgui.StyleVar_.window_padding, imgui.ImVec2(0, 0))
    imgui.push_style_var(imgui.StyleVar_.window_min_size, imgui.ImVec2(1, 1))
    flags = imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_background
    imgui.begin(f"##{name}", None, flags)
    imgui.invisible_button("grip", imgui.ImVec2(grip, height))
    held = imgui.is_item_active()
    if imgui.is_item_hovered() or held:
        imgui.set_mouse_cursor(imgui.MouseCursor_.resize_ew)
    imgui.end()
    imgui.pop_style_var(2)
    return imgui.get_io().mouse_pos.x if held else None
