"""The system's dialog for opening a file, or where there is none, our own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from imgui_bundle import portable_file_dialogs

from duplex.app.viewer.gui.file_browser import FileBrowser

LINUX_DIALOGS = ("zenity", "kdialog", "matedialog", "qarma")  # programs that show the dialog
FILTERS = ("duplex bundles", "*.bundle", "all files", "*")


class FileDialog:
    """Asks for a file while the window goes on drawing; ``browser``: what is shown where the system has no dialog."""

    def __init__(self) -> None:
        self._available = not sys.platform.startswith("linux") or any(map(shutil.which, LINUX_DIALOGS))
        self._dialog: Any = None
        self.browser = FileBrowser()

    @property
    def is_waiting(self) -> bool:
        """Whether the system's dialog is shown."""
        return self._dialog is not None

    def open(self) -> None:
        """Show the dialog, unless it is shown already."""
        if not self._available:
            self.browser.open()
        elif self._dialog is None:
            self._dialog = portable_file_dialogs.open_file("Open a bundle", "", list(FILTERS))

    def poll(self) -> Path | None:
        """The file that was chosen since the last call."""
        if self._dialog is None or not self._dialog.ready(0):
            return None
        chosen = self._dialog.result()
        self._dialog = None
        return Path(chosen[0]) if chosen else None
