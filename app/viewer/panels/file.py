"""Choosing a bundle: a path to type, the system's dialog, recent files, the demo; dropped files come here too."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imgui_bundle import imgui, portable_file_dialogs

from duplex.app.core.errors import printable
from duplex.assets import DEMO_BUNDLE

LINUX_DIALOGS = ("zenity", "kdialog", "matedialog", "qarma")


class FileMenu:
    """Widgets that end with a file to open, :attr:`chosen`, or with :attr:`closing` the open one."""

    def __init__(self) -> None:
        self.text = ""
        self.chosen: Path | None = None
        self.closing = False
        self.dialog: Any = None
        self.has_dialogs = not sys.platform.startswith("linux") or any(map(shutil.which, LINUX_DIALOGS))

    def take(self) -> Path | None:
        """What was chosen since the last call."""
        if self.dialog is not None and self.dialog.ready(0):
            found = self.dialog.result()
            self.dialog = None
            if found:
                self.chosen = Path(found[0])
        chosen, self.chosen = self.chosen, None
        return chosen

    def draw(self, recent: Sequence[str], is_open: bool) -> None:
        """Declare the widgets; ``is_open``: whether there is a bundle to close."""
        entered, self.text = imgui.input_text("path", self.text, imgui.InputTextFlags_.enter_returns_true)
        if imgui.button("open") or entered:
            self.chosen = Path(self.text.strip()) if self.text.strip() else None
        if self.has_dialogs:
            imgui.same_line()
            if imgui.button("browse ...") and self.dialog is None:
                filters = ["duplex bundles", "*.bundle", "all files", "*"]
                self.dialog = portable_file_dialogs.open_file("Open a bundle", "", filters)
        imgui.same_line()
        if imgui.button("demo"):
            self.chosen = DEMO_BUNDLE
        if is_open:
            imgui.same_line()
            self.closing |= imgui.button("close")
        if recent:
            imgui.text_disabled("opened before:")
        for i, name in enumerate(recent):
            imgui.push_id(i)
            if imgui.selectable(printable(Path(name).name), False)[0]:
                self.chosen = Path(name)
            if imgui.is_item_hovered():
                imgui.set_tooltip(printable(name))
            imgui.pop_id()


def draw_welcome(menu: FileMenu, recent: Sequence[str]) -> None:
    """Declare what an empty window shows."""
    size, scale = imgui.get_io().display_size, imgui.get_style().font_scale_dpi
    imgui.set_next_window_pos(imgui.ImVec2(size.x / 2, size.y / 2), imgui.Cond_.always, imgui.ImVec2(0.5, 0.5))
    imgui.set_next_window_size(imgui.ImVec2(min(380 * scale, size.x - 16), 0), imgui.Cond_.always)
    flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_resize
    imgui.begin("Welcome to duplex", None, flags)
    imgui.text_wrapped("Drop a bundle here, or choose one. duplex-bake makes them from trained NeRFs.")
    imgui.dummy(imgui.ImVec2(0, 4 * scale))
    imgui.push_item_width(-60 * scale)
    menu.draw(recent, is_open=False)
    imgui.pop_item_width()
    imgui.end()
