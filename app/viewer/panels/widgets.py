"""Dear ImGui's controls, each with its hint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imgui_bundle import imgui

from duplex.app.viewer.panels.hints import HINTS

WRAP = 22.0  # width of a hint, in letters' heights


def show_hint(text: str) -> None:
    """Show ``text`` where the mouse rests on the last control, even if that is disabled."""
    if text and imgui.is_item_hovered(imgui.HoveredFlags_.for_tooltip | imgui.HoveredFlags_.allow_when_disabled):
        imgui.begin_tooltip()
        imgui.push_text_wrap_pos(WRAP * imgui.get_font_size())
        imgui.text_unformatted(text)
        imgui.pop_text_wrap_pos()
        imgui.end_tooltip()


def _hinted(name: str) -> Callable[..., Any]:
    """The control of this ``name`` of Dear ImGui, with the hint of its label."""

    def widget(label: str, *arguments: Any, **settings: Any) -> Any:
        found = getattr(imgui, name)(label, *arguments, **settings)
        show_hint(HINTS[label])
        return found

    return widget


button = _hinted("button")
checkbox = _hinted("checkbox")
collapsing_header = _hinted("collapsing_header")
color_edit3 = _hinted("color_edit3")
combo = _hinted("combo")
drag_float3 = _hinted("drag_float3")
drag_float2 = _hinted("drag_float2")
input_double = _hinted("input_double")
input_int2 = _hinted("input_int2")
radio_button = _hinted("radio_button")
slider_float = _hinted("slider_float")
slider_int = _hinted("slider_int")


def input_file(label: str, text: str, flags: int = 0) -> tuple[bool, str]:
    """A field for a file's name, whose hint is the whole name where the field is too narrow for it."""
    narrow = imgui.calc_text_size(text).x > imgui.calc_item_width() - 2 * imgui.get_style().frame_padding.x
    changed, typed = imgui.input_text(label, text, flags)
    show_hint(text if narrow else HINTS[label])
    return changed, typed


def begin_combo(label: str, preview: str, flags: int = 0) -> bool:
    """A drop-down whose entries follow where this returns True; then ``imgui.end_combo`` does."""
    is_open = imgui.begin_combo(label, preview, flags)
    if not is_open:
        show_hint(HINTS[label])
    return bool(is_open)
