"""What the viewer tells its user in passing: a line at the bottom of the window, for some seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from imgui_bundle import imgui

from duplex.app.core.errors import printable

SECONDS = {"note": 5.0, "error": 15.0}
COLORS = {"note": (0.16, 0.17, 0.20), "error": (0.55, 0.12, 0.10)}
AT_MOST = 4


@dataclass
class Notices:
    """The lines that are shown, newest last, each with its kind and the seconds that it has left."""

    lines: list[tuple[str, str, float]] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say that something was done."""
        self._add(text, "note")

    def error(self, text: str) -> None:
        """Say what went wrong, and what to do."""
        self._add(text, "error")

    def _add(self, text: str, kind: str) -> None:
        text = printable(text)
        kept = [line for line in self.lines if line[0] != text]
        self.lines = [*kept, (text, kind, SECONDS[kind])][-AT_MOST:]

    def draw(self, seconds: float, left: float) -> None:
        """Declare them for this frame, ``seconds`` after the last one, beside what the window's ``left`` holds."""
        self.lines = [(text, kind, left - seconds) for text, kind, left in self.lines if left > seconds]
        size, scale = imgui.get_io().display_size, imgui.get_style().font_scale_dpi
        bottom = size.y - 12 * scale
        flags = (
            imgui.WindowFlags_.no_decoration
            | imgui.WindowFlags_.no_move
            | imgui.WindowFlags_.no_inputs
            | imgui.WindowFlags_.always_auto_resize
            | imgui.WindowFlags_.no_focus_on_appearing
        )
        for i, (text, kind, _) in enumerate(reversed(self.lines)):
            imgui.set_next_window_pos(
                imgui.ImVec2((left + size.x) / 2, bottom), imgui.Cond_.always, imgui.ImVec2(0.5, 1)
            )
            imgui.push_style_color(imgui.Col_.window_bg, imgui.ImVec4(*COLORS[kind], 0.92))
            imgui.begin(f"##notice {i}", None, flags)
            imgui.push_text_wrap_pos(0.9 * (size.x - left))
            imgui.text_unformatted(text)
            imgui.pop_text_wrap_pos()
            bottom -= imgui.get_window_height() + 6 * scale
            imgui.end()
            imgui.pop_style_color()


def say_in_the_middle(text: str, left: float) -> None:
    """Declare ``text`` in the middle of the scene, beside what the window's ``left`` holds."""
    size, extent = imgui.get_io().display_size, imgui.calc_text_size(text)
    label_at(text, (left + size.x - extent.x) / 2, (size.y - extent.y) / 2)


def label_at(text: str, x: float, y: float) -> None:
    """Draw ``text`` on a dark ground over the scene, its upper left corner at ``x``, ``y`` of the window."""
    extent, edge = imgui.calc_text_size(text), 4 * imgui.get_style().font_scale_dpi
    low, high = imgui.ImVec2(x - edge, y - edge), imgui.ImVec2(x + extent.x + edge, y + extent.y + edge)
    target = imgui.get_background_draw_list()
    target.add_rect_filled(low, high, 0xB0000000, edge)
    target.add_text(imgui.ImVec2(x, y), 0xFFFFFFFF, text)
