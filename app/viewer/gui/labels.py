"""Texts on a dark ground over the scene."""

from __future__ import annotations

from imgui_bundle import imgui


def label_at(text: str, x: float, y: float) -> None:
    """Draw ``text`` with its upper left corner at ``x``, ``y`` of the window."""
    extent = imgui.calc_text_size(text)
    edge = 4 * imgui.get_style().font_scale_dpi
    low, high = imgui.ImVec2(x - edge, y - edge), imgui.ImVec2(x + extent.x + edge, y + extent.y + edge)
    target = imgui.get_background_draw_list()
    target.add_rect_filled(low, high, 0xB0000000, edge)
    target.add_text(imgui.ImVec2(x, y), 0xFFFFFFFF, text)


def label_in_the_middle(text: str, left: float) -> None:
    """Draw ``text`` in the middle of the scene, which begins at ``left`` of the window."""
    size, extent = imgui.get_io().display_size, imgui.calc_text_size(text)
    label_at(text, (left + size.x - extent.x) / 2, (size.y - extent.y) / 2)


def button_in_the_middle(text: str, label: str, x: float) -> bool:
    """Declare ``text`` and below it a button, around ``x`` of the window; returns whether it is pressed."""
    imgui.set_next_window_pos(
        imgui.ImVec2(x, imgui.get_io().display_size.y / 2), imgui.Cond_.always, imgui.ImVec2(0.5, 0.5)
    )
    flags = imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.no_move | imgui.WindowFlags_.always_auto_resize
    imgui.begin(f"##{text}", None, flags | imgui.WindowFlags_.no_focus_on_appearing)
    imgui.text(text)
    pressed = imgui.button(label)
    imgui.end()
    return bool(pressed)
