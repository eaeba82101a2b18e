"""The panel's menu bar: what there is to do, with its keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imgui_bundle import imgui

from duplex.app.core.errors import printable
from duplex.app.viewer.actions import (
    Action,
    BrowseFiles,
    CloseFile,
    CopyView,
    FrameScene,
    LookFrom,
    OpenFile,
    PasteView,
    Redo,
    ResetCamera,
    SavePicture,
    ShowHelp,
    TogglePanel,
    Undo,
)
from duplex.app.viewer.camera.camera_controls import SIDES
from duplex.app.viewer.path_actions import AddKeyframe, SavePath, TogglePlaying
from duplex.assets import DEMO_BUNDLE

MENUS: dict[str, tuple[tuple[str, str, Action], ...]] = {
    "File": (
        ("Open ...", "Ctrl+O", BrowseFiles()),
        ("Demo", "", OpenFile(DEMO_BUNDLE)),
        ("Save a picture", "F12", SavePicture()),
        ("Close", "", CloseFile()),
    ),
    "Edit": (
        ("Undo", "Ctrl+Z", Undo()),
        ("Redo", "Ctrl+Y", Redo()),
        ("Copy the view", "Ctrl+C", CopyView()),
        ("Paste a view", "Ctrl+V", PasteView()),
    ),
    "View": (
        ("Frame the object", "F", FrameScene()),
        ("Reset the camera", "R", ResetCamera()),
        *((f"From the {side}", "", LookFrom(side)) for side in SIDES),
        ("Hide the panel", "Tab", TogglePanel()),
    ),
    "Path": (
        ("Add a keyframe", "K", AddKeyframe(announced=True)),
        ("Play", "Space", TogglePlaying()),
        ("Save", "Ctrl+S", SavePath()),
    ),
    "Help": (("Keys and mouse", "?", ShowHelp(True)),),
}


def draw_menu(recent: Sequence[str]) -> list[Action]:
    """Declare the menu bar of the window that is being declared; ``recent``: paths of bundles, the last one first."""
    actions: list[Action] = []
    if not imgui.begin_menu_bar():
        return actions
    for name, entries in MENUS.items():
        if imgui.begin_menu(name):
            actions += [action for label, keys, action in entries if imgui.menu_item(label, keys, False)[0]]
            if name == "File":
                actions += _draw_recent(recent)
            imgui.end_menu()
    imgui.end_menu_bar()
    return actions


def _draw_recent(recent: Sequence[str]) -> list[Action]:
    if not recent:
        return []
    imgui.separator_text("opened before")
    names = [(name, f"{printable(Path(name).name)}##{i}") for i, name in enumerate(recent)]
    return [OpenFile(Path(name)) for name, label in names if imgui.menu_item(label, "", False)[0]]
