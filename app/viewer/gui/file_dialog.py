"""The system's dialog for opening a file."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from imgui_bundle import portable_file_dialogs

LINUX_DIALOGS = ("zenity", "kdialog", "matedialog", "qarma")  # programs that show the dialog
FILTERS = ("duplex bundles", "*.bundle", "all files", "*")


class FileDialog:
    """Asks for a bundle while the window goes on drawing; ``available``: whether this system has such a dialog."""

    def __init__(self) -> None:
        self.available = not sys.platform.startswith("linux") or any(map(shutil.which, LINUX_DIALOGS))
        self._dialog: Any = None

    @property
    def is_open(self) -> bool:
        """Whether the dialog is shown."""
        return self._dialog is not None

    def open(self) -> None:
        """Show the dialog, unless it is shown already."""
        if self._dialog is None:
            self._dialog = portable_file_dialogs.open_file("Open a bundle", "", list(FILTERS))

    def poll(self) -> Path | None:
        """The file that was chosen since the last call."""
        if self._dialog is None or not self._dialog.ready(0):
            return None
        chosen = self._dialog.result()
        self._dialog = None
        return Path(chosen[0]) if chosen else None
