"""The list of keys and mouse buttons that ``?`` shows."""

from __future__ import annotations

from imgui_bundle import imgui

HELP = (
    ("left drag", "turn; with Shift pan"),
    ("right drag, middle drag", "pan"),
    ("wheel", "come closer; fly forward"),
    ("W A S D, Q, E", "fly, down, up; with Shift fast, with Alt slowly"),
    ("O", "orbit, fly, trackball"),
    ("F", "frame the object"),
    ("R", "reset the camera"),
    ("1 ... 9", "the first nine views"),
    ("[ ]", "step through the cameras of the bundle"),
    ("Ctrl+C, Ctrl+V", "copy the view as text, paste it"),
    ("Ctrl+O, Ctrl+S", "open a file, save the path"),
    ("Ctrl+Z, Ctrl+Y", "undo, redo: all but the camera"),
    ("K", "add a keyframe to the path"),
    ("Space", "play the path, stop"),
    ("F12", "save a picture without the panel"),
    ("Tab", "hide the panel, show it"),
    ("F11", "full screen"),
    ("Escape", "close a menu or a dialog"),
    ("?, F1", "this list"),
)


def draw_help() -> bool:
    """Declare the list for this frame; returns whether it stays open."""
    size, scale = imgui.get_io().display_size, imgui.get_style().font_scale_dpi
    imgui.set_next_window_pos(imgui.ImVec2(size.x / 2, size.y / 2), imgui.Cond_.always, imgui.ImVec2(0.5, 0.5))
    imgui.set_next_window_size_constraints(imgui.ImVec2(0, 0), imgui.ImVec2(max(size.x - 16, 64), max(size.y - 16, 64)))
    flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_move | imgui.WindowFlags_.always_auto_resize
    _, stays = imgui.begin("Keys and mouse", True, flags)
    if imgui.begin_table("keys", 2, imgui.TableFlags_.sizing_fixed_fit):
        for key, what in HELP:
            imgui.table_next_column()
            imgui.text(key)
            imgui.table_next_column()
            imgui.dummy(imgui.ImVec2(10 * scale, 0))
            imgui.same_line()
            imgui.text(what)
        imgui.end_table()
    imgui.end()
    return bool(stays)
