"""Colours, sizes and font of the widgets."""

from __future__ import annotations

from pathlib import Path

import imgui_bundle
from imgui_bundle import imgui

FONT = Path(imgui_bundle.__file__).parent / "assets" / "fonts" / "Roboto" / "Roboto-Regular.ttf"
FONT_SIZE = 15.0  # pixels at 96 dpi
ACCENT = (0.36, 0.60, 0.94)
COLORS = {
    "text": (0.90, 0.91, 0.93),
    "text_disabled": (0.56, 0.58, 0.63),
    "window_bg": (0.105, 0.11, 0.125),
    "popup_bg": (0.12, 0.125, 0.145),
    "frame_bg": (0.17, 0.18, 0.205),
    "frame_bg_hovered": (0.22, 0.24, 0.28),
    "frame_bg_active": (0.25, 0.28, 0.33),
    "title_bg_active": (0.15, 0.165, 0.195),
    "button": (0.20, 0.235, 0.29),
    "button_hovered": (0.26, 0.33, 0.44),
    "button_active": ACCENT,
    "header": (0.15, 0.165, 0.195),
    "header_hovered": (0.21, 0.25, 0.32),
    "header_active": (0.25, 0.31, 0.41),
    "check_mark": ACCENT,
    "slider_grab": (0.30, 0.46, 0.70),
    "slider_grab_active": ACCENT,
    "separator": (0.20, 0.21, 0.24),
}


class Theme:
    """Colours, sizes and font of the current Dear ImGui context."""

    def __init__(self) -> None:
        imgui.style_colors_dark()
        style = imgui.get_style()
        for name, color in COLORS.items():
            style.set_color_(getattr(imgui.Col_, name), imgui.ImVec4(*color, 1.0))
        style.window_rounding = style.popup_rounding = 6
        style.frame_rounding = style.grab_rounding = 4
        style.window_border_size = 0
        style.item_spacing = imgui.ImVec2(8, 4)
        style.frame_padding = imgui.ImVec2(6, 3)
        if FONT.exists():
            imgui.get_io().fonts.add_font_from_file_ttf(str(FONT), FONT_SIZE)
        style.font_size_base = FONT_SIZE
        self.scale = 1.0
        self.sizes: dict[str, float | tuple[float, float]] = {}  # of the style, at scale 1
        for name in dir(style):
            value = getattr(style, name)
            if isinstance(value, float):
                self.sizes[name] = value
            elif isinstance(value, imgui.ImVec2):
                self.sizes[name] = (value.x, value.y)

    def scale_to(self, scale: float) -> None:
        """Make text and widgets ``scale`` times as large as at 96 dpi."""
        if scale == self.scale:
            return
        self.scale = scale
        style = imgui.get_style()
        for name, value in self.sizes.items():
            setattr(style, name, imgui.ImVec2(*value) if isinstance(value, tuple) else value)
        style.scale_all_sizes(scale)
        style.font_scale_dpi = scale
