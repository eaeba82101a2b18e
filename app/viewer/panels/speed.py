"""The panel's section *Speed*: frame times, and the time of each pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from imgui_bundle import imgui, implot

PLOTTED_FRAMES = 240


@dataclass(frozen=True)
class SpeedFacts:
    """What the section reports.

    ``passes``: milliseconds of each pass by name; ``has_timers``: False where the driver has no GPU timers;
    ``frame_milliseconds``: a running mean; ``times``: milliseconds of the last :data:`PLOTTED_FRAMES` frames, oldest
    first; ``picture``: width and height in pixels; ``driver``: its name and version; ``gpu_bytes``: buffers and
    textures.
    """

    passes: Mapping[str, float]
    has_timers: bool
    frame_milliseconds: float
    times: Sequence[float]
    picture: tuple[int, int]
    backend: str
    driver: str
    gpu_bytes: int


def draw_speed(facts: SpeedFacts) -> None:
    """Declare the section."""
    imgui.text(f"{1000 / max(facts.frame_milliseconds, 1e-3):.1f} frames/s   {facts.frame_milliseconds:.1f} ms")
    _plot(facts.times)
    imgui.text_disabled(f"{facts.gpu_bytes / 1e6:.0f} MB of buffers and textures")
    if not facts.has_timers:
        imgui.text_wrapped("This driver has no GPU timers: only the time of whole frames is known.")
    elif imgui.begin_table("passes", 2):
        for name, milliseconds in facts.passes.items():
            imgui.table_next_column()
            imgui.text(name)
            imgui.table_next_column()
            imgui.text(f"{milliseconds:.2f} ms")
        imgui.end_table()
    imgui.text_disabled(f"drawn at {facts.picture[0]} x {facts.picture[1]}, backend {facts.backend}")
    imgui.push_text_wrap_pos(0)
    imgui.text_disabled(facts.driver)
    imgui.pop_text_wrap_pos()


def _plot(times: Sequence[float]) -> None:
    scale = imgui.get_style().font_scale_dpi
    flags = implot.Flags_.no_legend | implot.Flags_.no_mouse_text | implot.Flags_.no_inputs
    if implot.begin_plot("##times", imgui.ImVec2(-1, 64 * scale), flags):
        implot.setup_axes("", "ms", implot.AxisFlags_.no_tick_labels, implot.AxisFlags_.none)
        top = 1.2 * max(max(times), 1.0)
        implot.setup_axes_limits(0, PLOTTED_FRAMES, 0, top, imgui.Cond_.always)
        implot.plot_line("frame", np.array(times, np.float64))
        implot.end_plot()
