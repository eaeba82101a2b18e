"""The panel's section *View*: what is shown, on what background, how finely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imgui_bundle import imgui

from duplex.app.render.passes.screen import PATTERNS
from duplex.app.render.views import Unseen, View
from duplex.app.viewer.actions import Action, CopyText, SetLook
from duplex.app.viewer.crop_box import as_flag
from duplex.app.viewer.look import Box, Look
from duplex.app.viewer.panels import widgets


@dataclass(frozen=True)
class UnseenFacts:
    """Whether the bundle has parts that no camera of the bake saw, and whether some are in the picture."""

    exists: bool
    in_picture: bool


HINTS = {
    Unseen.FADE: "Faded: no camera of the bake saw it.",
    Unseen.SHOW: "Some parts were seen by no camera of the bake, and are made up.",
    Unseen.HIDE: "Hidden: no camera of the bake saw it.",
}


def draw_view(look: Look, views: Sequence[View], unseen: UnseenFacts, around: Box) -> list[Action]:
    """Declare the section; ``around``: the box around the scene in the dataset's frame."""
    index = views.index(look.view) if look.view in views else 0
    chosen, index = widgets.combo("show", index, [str(view) for view in views], 24)
    _, (red, green, blue) = widgets.color_edit3("background", list(look.background))
    _, pattern = widgets.combo("pattern", PATTERNS.index(look.pattern), list(PATTERNS))
    shown = look.unseen
    if unseen.exists:
        _, number = widgets.combo("unseen parts", list(Unseen).index(look.unseen), list(Unseen))
        shown = list(Unseen)[number]
        if unseen.in_picture:
            imgui.text_wrapped(HINTS[look.unseen])
    _, exposure = widgets.slider_float("exposure", look.exposure, -3, 3, "%+.1f stops")
    _, percent = widgets.slider_int("resolution", round(100 * look.scale), 10, 100, "%d%%")
    _, smooth = widgets.checkbox("coarser while moving, for", look.smooth)
    imgui.same_line()
    imgui.set_next_item_width(-1)
    _, rate = widgets.slider_int("##rate", look.frame_rate, 10, 120, "%d/s")
    crop, actions = _draw_crop(look.crop, around)
    changed = replace(
        look,
        crop=crop,
        view=views[index] if chosen else look.view,
        background=(red, green, blue),
        pattern=PATTERNS[pattern],
        unseen=shown,
        exposure=min(max(exposure, -3.0), 3.0),  # text can be typed into a slider: any number
        scale=min(max(percent, 10), 100) / 100,
        smooth=smooth,
        frame_rate=min(max(rate, 10), 120),
    )
    return [*([SetLook(changed)] if changed != look else []), *actions]


def _draw_crop(crop: Box | None, around: Box) -> tuple[Box | None, list[Action]]:
    """The crop box as it is changed, and what else is asked for."""
    _, wanted = widgets.checkbox("crop box", crop is not None)
    if not wanted:
        return None, []
    low, high = crop or around
    speed = max(b - a for a, b in zip(*around, strict=True)) / 500
    _, first = widgets.drag_float3("low", list(low), speed)
    _, second = widgets.drag_float3("high", list(high), speed)
    pairs = list(zip(first, second, strict=True))
    found: Box = (_corner([min(pair) for pair in pairs]), _corner([max(pair) for pair in pairs]))
    return found, [CopyText(as_flag(found))] if widgets.button("copy as --crop") else []


def _corner(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = values
    return x, y, z
