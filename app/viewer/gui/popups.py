"""Drop-downs and dialogs: Dear ImGui closes them on Escape only where its own keyboard navigation is on."""

from __future__ import annotations

from imgui_bundle import imgui


def any_popup() -> bool:
    """Whether a drop-down or a dialog is open."""
    return imgui.is_popup_open("", imgui.PopupFlags_.any_popup_id | imgui.PopupFlags_.any_popup_level)


def close_popups() -> None:
    """Close all that are open, and let no text field have the keyboard."""
    if any_popup():
        imgui.internal.close_popup_to_level(0, True)
    imgui.internal.clear_active_id()
