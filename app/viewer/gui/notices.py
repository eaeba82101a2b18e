"""Notices: lines at the bottom of the window, each for some seconds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from imgui_bundle import imgui

from duplex.app.core.errors import printable

AT_MOST = 4


@dataclass(frozen=True)
class NoticeKind:
    """How long a notice is shown, in ``seconds``, and on what ``color``, RGB in [0, 1]."""

    seconds: float
    color: tuple[float, float, float]


NOTE = NoticeKind(5.0, (0.16, 0.17, 0.20))
ERROR = NoticeKind(15.0, (0.55, 0.12, 0.10))


@dataclass(frozen=True)
class Notice:
    """One line of ``text``, which is shown for ``seconds`` more."""

    text: str
    kind: NoticeKind
    seconds: float


@dataclass
class Notices:
    """The notices that are shown, newest last."""

    lines: list[Notice] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say that something was done."""
        self._add(text, NOTE)

    def error(self, text: str) -> None:
        """Say what went wrong, and what to do."""
        self._add(text, ERROR)

    def _add(self, text: str, kind: NoticeKind) -> None:
        text = printable(text)
        others = [line for line in self.lines if line.text != text]
        self.lines = [*others, Notice(text, kind, kind.seconds)][-AT_MOST:]

    def draw(self, seconds: float, left: float) -> None:
        """Declare the notices, ``seconds`` after the last frame, beside a panel that is ``left`` wide."""
        kept = [line for line in self.lines if line.seconds > seconds]
        self.lines = [replace(line, seconds=line.seconds - seconds) for line in kept]
        size, scale = imgui.get_io().display_size, imgui.get_style().font_scale_dpi
        bottom = size.y - 12 * scale
        flags = (
            imgui.WindowFlags_.no_decoration
            | imgui.WindowFlags_.no_move
            | imgui.WindowFlags_.no_inputs
            | imgui.WindowFlags_.always_auto_resize
            | imgui.WindowFlags_.no_focus_on_appearing
        )
        for i, line in enumerate(reversed(self.lines)):
            imgui.set_next_window_pos(
                imgui.ImVec2((left + size.x) / 2, bottom), imgui.Cond_.always, imgui.ImVec2(0.5, 1)
            )
            imgui.push_style_color(imgui.Col_.window_bg, imgui.ImVec4(*line.kind.color, 0.92))
            imgui.begin(f"##notice {i}", None, flags)
            imgui.push_text_wrap_pos(0.9 * (size.x - left))
            imgui.text_unformatted(line.text)
            imgui.pop_text_wrap_pos()
            bottom -= imgui.get_window_height() + 6 * scale
            imgui.end()
            imgui.pop_style_color()
