"""A list of files, for systems that have no dialog of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from imgui_bundle import imgui

from duplex.app.core.errors import printable

WIDTH, HEIGHT = 520, 420
ENDINGS = (".bundle", ".json")  # of bundles and camera paths
MOST_ENTRIES = 5000


class Entry(NamedTuple):
    """A file or folder in the list; ``size``: in bytes, of a file."""

    name: str
    is_folder: bool
    size: int


def entries_of(folder: Path, everything: bool) -> list[Entry]:
    """What is listed of ``folder``, folders first; ``everything``: also files that the viewer does not open.

    Raises OSError for a folder that cannot be read.
    """
    found: list[Entry] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or len(found) >= MOST_ENTRIES:
                continue
            try:
                is_folder = entry.is_dir()
                if is_folder or everything or entry.name.lower().endswith(ENDINGS):
                    found.append(Entry(entry.name, is_folder, 0 if is_folder else entry.stat().st_size))
            except OSError:  # a link to nothing
                continue
    return sorted(found, key=lambda each: (not each.is_folder, each.name.lower()))


class FileBrowser:
    """The window with the list; ``folder``: whose files it shows."""

    def __init__(self) -> None:
        self.is_open = False
        self.folder = Path.cwd()
        self.everything = False
        self._entries: list[Entry] = []
        self._problem = ""

    def open(self) -> None:
        """Show the list, read anew."""
        self.is_open = True
        self._read(self.folder)

    def draw(self, left: float) -> Path | None:
        """Declare the window beside a panel that is ``left`` wide; returns the file that was chosen."""
        size, scale = imgui.get_io().display_size, imgui.get_style().font_scale_dpi
        middle = imgui.ImVec2((left + size.x) / 2, size.y / 2)
        imgui.set_next_window_pos(middle, imgui.Cond_.always, imgui.ImVec2(0.5, 0.5))
        width, height = min(WIDTH * scale, size.x - left - 16), min(HEIGHT * scale, size.y - 16)
        imgui.set_next_window_size(imgui.ImVec2(width, height), imgui.Cond_.always)
        flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_resize
        _, stays = imgui.begin("Open a file", True, flags)
        self.is_open = bool(stays)
        imgui.text_wrapped(printable(str(self.folder)))
        for label, folder in (("up", self.folder.parent), ("home", Path.home())):
            if imgui.button(label):
                self._read(folder)
            imgui.same_line()
        changed, self.everything = imgui.checkbox("all files", self.everything)
        if changed:
            self._read(self.folder)
        if self._problem:
            imgui.text_wrapped(self._problem)
        chosen = self._draw_entries()
        imgui.end()
        if chosen is None:
            return None
        if chosen.is_folder:
            self._read(self.folder / chosen.name)
            return None
        self.is_open = False
        return self.folder / chosen.name

    def _draw_entries(self) -> Entry | None:
        chosen = None
        imgui.begin_child("entries")
        rows = imgui.ListClipper()
        rows.begin(len(self._entries))
        while rows.step():
            for i in range(rows.display_start, rows.display_end):
                entry = self._entries[i]
                size = "folder" if entry.is_folder else f"{entry.size / 1e6:.2f} MB"
                imgui.push_id(i)
                if imgui.selectable(printable(entry.name), False)[0]:
                    chosen = entry
                imgui.same_line(imgui.get_content_region_avail().x - imgui.calc_text_size(size).x)
                imgui.text_disabled(size)
                imgui.pop_id()
        if not self._entries:
            imgui.text_disabled("no bundles and no camera paths here")
        imgui.end_child()
        return chosen

    def _read(self, folder: Path) -> None:
        try:
            self._entries = entries_of(folder, self.everything)
            self.folder, self._problem = folder, ""
        except OSError as error:
            self._problem = f"{printable(folder.name)}: {error.strerror}"
