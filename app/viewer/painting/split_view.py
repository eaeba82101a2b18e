"""The split view: two views side by side, and the line between them, which the mouse drags."""

from __future__ import annotations

from imgui_bundle import imgui

from duplex.app.render.backends.names import NAMES
from duplex.app.render.renderer import Renderer
from duplex.app.viewer.gui.grip import dragged
from duplex.app.viewer.gui.labels import label_at
from duplex.app.viewer.look import ONLY_SHELLS, SecondView

LINE_COLOR = 0xFF40C0FF  # ABGR


def second_views(renderer: Renderer) -> list[SecondView]:
    """Everything that the picture of ``renderer`` can be compared with."""
    views = [SecondView(view) for view in renderer.views]
    single_shells = [SecondView(shells=shells) for shells in ONLY_SHELLS]
    backends = [SecondView(backend=name) for name in NAMES if name != renderer.backend.name]
    return [*views, *single_shells, *backends]


class SecondRenderer:
    """The renderer of the right part; it is made when a second view first asks for another backend."""

    def __init__(self) -> None:
        self.other: Renderer | None = None

    def forget(self) -> None:
        """Free the renderer of the other backend."""
        self.other = None

    def at(self, first: Renderer, second: SecondView) -> Renderer:
        """The renderer that draws ``second`` beside a picture of ``first``.

        Raises :class:`~duplex.app.core.errors.DuplexError` where this machine does not have the backend.
        """
        if not second.backend:
            return first
        if self.other is None or self.other.bundle is not first.bundle or self.other.backend.name != second.backend:
            self.other = Renderer(first.ctx, first.bundle, second.backend)
        return self.other


def draw_split_line(split: float, area: tuple[float, float, float], labels: tuple[str, str]) -> float:
    """Declare the line between the two views and their ``labels``; returns where it is after a drag.

    ``split``: in (0, 1) of the scene's width; ``area``: the scene's left, width and height in window coordinates.
    """
    left, width, height = area
    place = left + split * width
    scale = imgui.get_style().font_scale_dpi
    if (mouse := dragged("split", place, height)) is not None:
        split = min(max((mouse - left) / max(width, 1), 0.02), 0.98)
    target = imgui.get_background_draw_list()
    target.add_line(imgui.ImVec2(place, 0), imgui.ImVec2(place, height), LINE_COLOR, 2 * scale)
    first, second = labels
    gap = 8 * scale
    label_at(first, place - imgui.calc_text_size(first).x - gap, gap)
    label_at(second, place + gap, gap)
    return split
