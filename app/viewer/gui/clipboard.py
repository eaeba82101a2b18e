"""The system's clipboard."""

from __future__ import annotations

import warnings
from typing import Any

import glfw

ANY_WINDOW: Any = None  # GLFW has one clipboard for all windows


def copy(text: str) -> None:
    """Put ``text`` into the clipboard."""
    glfw.set_clipboard_string(ANY_WINDOW, text)


def clipboard() -> str:
    """The text in the clipboard, empty where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", glfw.GLFWError)  # the clipboard is empty, or holds no text
        found = glfw.get_clipboard_string(ANY_WINDOW) or b""
    return found if isinstance(found, str) else found.decode("utf-8", "replace")
