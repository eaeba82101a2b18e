"""What a user does in the window, step by step, each step checked on pixels or state.

python -m window.session FOLDER [GROUP ...]    saves a picture of every step into FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import glfw

from duplex.app.viewer.settings import load_settings, settings_file
from window import (
    camera_steps,
    display_steps,
    file_steps,
    inspect_steps,
    key_steps,
    panel_steps,
    path_steps,
    view_steps,
)
from window.driver import Session

PASSES = {"outer shell", "inner shell", "features", "shading 1", "present", "screen"}
GROUPS: dict[str, tuple[Callable[[Session], None], ...]] = {
    "camera": (camera_steps.mouse, camera_steps.flight),
    "pointing": (
        camera_steps.first_view,
        camera_steps.wheel_at_the_cursor,
        camera_steps.double_click,
        camera_steps.small_window,
        camera_steps.bookmarks,
        camera_steps.saved_pictures,
    ),
    "keys": (
        key_steps.modes_and_views,
        key_steps.preset_cameras,
        key_steps.copied_view,
        key_steps.help_page,
        key_steps.played_path,
        key_steps.pictures_and_full_screen,
    ),
    "commands": (
        key_steps.modifiers_let_go,
        key_steps.letters_of_another_layout,
        key_steps.commands_with_ctrl,
        key_steps.escape_closes,
        key_steps.horizon_is_level_at_once,
    ),
    "files": (
        file_steps.dropped_files,
        file_steps.changed_bundle,
        file_steps.changed_shader,
        file_steps.changed_view_shader,
    ),
    "opening": (file_steps.other_files, file_steps.kept_keyframes),
    "inspect": (
        inspect_steps.split_view,
        inspect_steps.edges_shells_features,
        inspect_steps.probed_pixel,
        inspect_steps.backends_agree,
        inspect_steps.measured_distance,
    ),
    "path": (path_steps.path_panel,),
    "views": (
        view_steps.same_as_without_a_window,
        view_steps.every_view,
        view_steps.reference_elsewhere,
        view_steps.view_menu,
    ),
    "display": (
        display_steps.patterns,
        display_steps.exposure,
        display_steps.nothing_in_view,
        display_steps.unseen_parts,
        display_steps.background_and_scale,
        display_steps.crop_box,
    ),
    "panel": (
        panel_steps.resting_panel,
        panel_steps.answered_key,
        panel_steps.hidden_panel,
        panel_steps.nothing_open,
        panel_steps.resized_window,
    ),
    "controls": (
        panel_steps.menus,
        panel_steps.hints,
        panel_steps.panel_width,
        panel_steps.typed_name,
        panel_steps.file_list,
    ),
}


def main(folder: Path, *groups: str) -> None:
    session = Session(folder)
    for group in groups or GROUPS:
        for step in GROUPS[group]:
            step(session)
    viewer = session.viewer
    assert viewer.state.timers.milliseconds.keys() >= PASSES
    size = glfw.get_window_size(session.window._window)
    viewer.close()
    assert settings_file().is_relative_to(Path.home()) and load_settings().size == list(size)
    print("closed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
