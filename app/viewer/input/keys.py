"""What each key does.

Letters count as the keyboard's layout has them, so that Ctrl+Z is where Z is printed. Only the keys that fly count by
their place, WASD on an American keyboard.
"""

from __future__ import annotations

import glfw

from duplex.app.viewer.actions import (
    Action,
    BrowseFiles,
    CopyView,
    Dismiss,
    FrameScene,
    NextCameraMode,
    PasteView,
    Redo,
    ResetCamera,
    SavePicture,
    ShowNumberedView,
    StepCamera,
    ToggleHelp,
    TogglePanel,
    Undo,
)
from duplex.app.viewer.path_actions import AddKeyframe, SavePath, TogglePlaying

MOVES = {  # key: right, up, forward
    glfw.KEY_W: (0, 0, 1),
    glfw.KEY_S: (0, 0, -1),
    glfw.KEY_D: (1, 0, 0),
    glfw.KEY_A: (-1, 0, 0),
    glfw.KEY_E: (0, 1, 0),
    glfw.KEY_Q: (0, -1, 0),
}
SHIFT = {glfw.KEY_LEFT_SHIFT, glfw.KEY_RIGHT_SHIFT}
ALT = {glfw.KEY_LEFT_ALT, glfw.KEY_RIGHT_ALT}
CTRL = {glfw.KEY_LEFT_CONTROL, glfw.KEY_RIGHT_CONTROL}
COMMAND = {glfw.KEY_LEFT_SUPER, glfw.KEY_RIGHT_SUPER}  # what macOS has for Ctrl
MODIFIERS = {"shift": SHIFT, "ctrl": CTRL, "alt": ALT, "command": COMMAND}
REPEATED = (glfw.KEY_LEFT_BRACKET, glfw.KEY_RIGHT_BRACKET)  # keys that act again and again while they are held
_WITHOUT_CTRL: dict[int, Action] = {
    glfw.KEY_F: FrameScene(),
    glfw.KEY_R: ResetCamera(),
    glfw.KEY_O: NextCameraMode(),
    glfw.KEY_K: AddKeyframe(announced=True),
    glfw.KEY_F1: ToggleHelp(),
    glfw.KEY_F12: SavePicture(),
}
_WITH_CTRL: dict[int, Action] = {
    glfw.KEY_C: CopyView(),
    glfw.KEY_V: PasteView(),
    glfw.KEY_O: BrowseFiles(),
    glfw.KEY_S: SavePath(),
    glfw.KEY_Z: Undo(),
    glfw.KEY_Y: Redo(),
}
_ANYWAY: dict[int, Action] = {
    glfw.KEY_TAB: TogglePanel(),
    glfw.KEY_ESCAPE: Dismiss(),
    glfw.KEY_SPACE: TogglePlaying(),
    glfw.KEY_LEFT_BRACKET: StepCamera(-1),
    glfw.KEY_RIGHT_BRACKET: StepCamera(1),
    **{glfw.KEY_1 + index: ShowNumberedView(index) for index in range(9)},
}


def lettered(key: int) -> int:
    """The key that has the letter of ``key`` on an American keyboard: on a German one, Z and Y change places."""
    name = glfw.get_key_name(key, 0) or ""
    return glfw.KEY_A + ord(name) - ord("a") if len(name) == 1 and "a" <= (name := name.lower()) <= "z" else key


def action_of(key: int, ctrl: bool, shift: bool = False) -> Action | None:
    """What the :func:`lettered` ``key`` asks for, with Ctrl (or Command) and Shift held or not; None for nothing."""
    if ctrl and shift and key == glfw.KEY_Z:
        return Redo()
    return (_WITH_CTRL if ctrl else _WITHOUT_CTRL).get(key) or _ANYWAY.get(key)
