"""The panel's section *File*: choose a bundle by its path, in the system's dialog, or from the recent ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgui_bundle import imgui

from duplex.app.core.errors import printable
from duplex.app.viewer.actions import Action, BrowseFiles, CloseFile, OpenFile
from duplex.app.viewer.panels import widgets
from duplex.assets import DEMO_BUNDLE


@dataclass(frozen=True)
class FileFacts:
    """``recent``: paths of bundles, the last one first."""

    recent: Sequence[str]


class FileSection:
    """The section, with the path that is being typed."""

    def __init__(self) -> None:
        self.text = ""

    def draw(self, facts: FileFacts, is_open: bool) -> list[Action]:
        """Declare the section; ``is_open``: whether there is a bundle to close."""
        actions: list[Action] = []
        entered, self.text = widgets.input_file("path", self.text, imgui.InputTextFlags_.enter_returns_true)
        if entered:
            imgui.set_keyboard_focus_here(-1)  # the name may be typed again
        if (widgets.button("open") or entered) and self.text.strip():
            actions.append(OpenFile(Path(self.text.strip())))
        imgui.same_line()
        if widgets.button("browse ..."):
            actions.append(BrowseFiles())
        imgui.same_line()
        if widgets.button("demo"):
            actions.append(OpenFile(DEMO_BUNDLE))
        if is_open:
            imgui.same_line()
            if widgets.button("close"):
                actions.append(CloseFile())
        return actions + _draw_recent(facts.recent)


def _draw_recent(recent: Sequence[str]) -> list[Action]:
    actions: list[Action] = []
    if recent:
        imgui.text_disabled("opened before:")
    for i, name in enumerate(recent):
        imgui.push_id(i)
        if imgui.selectable(printable(Path(name).name), False)[0]:
            actions.append(OpenFile(Path(name)))
        if imgui.is_item_hovered():
            imgui.set_tooltip(printable(name))
        imgui.pop_id()
    return actions
