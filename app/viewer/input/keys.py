"""What each key does."""

from __future__ import annotations

import glfw

from duplex.app.viewer.actions import (
    Action,
    AddKeyframe,
    CopyView,
    FrameScene,
    NextCameraMode,
    PasteView,
    ResetCamera,
    SavePicture,
    ShowHelp,
    ShowNumberedView,
    StepCamera,
    TogglePanel,
    TogglePlaying,
)

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
COMMAND = (glfw.KEY_LEFT_SUPER, glfw.KEY_RIGHT_SUPER)  # what macOS has for Ctrl
REPEATED = (glfw.KEY_LEFT_BRACKET, glfw.KEY_RIGHT_BRACKET)  # keys that act again and again while they are held
_WITH_OR_WITHOUT_CTRL: dict[tuple[int, bool], Action] = {
    (glfw.KEY_F, False): FrameScene(),
    (glfw.KEY_R, False): ResetCamera(),
    (glfw.KEY_C, True): CopyView(),
    (glfw.KEY_V, True): PasteView(),
    (glfw.KEY_F12, False): SavePicture(),
}
_ANYWAY: dict[int, Action] = {
    glfw.KEY_TAB: TogglePanel(),
    glfw.KEY_ESCAPE: ShowHelp(False),
    glfw.KEY_O: NextCameraMode(),
    glfw.KEY_K: AddKeyframe(announced=True),
    glfw.KEY_SPACE: TogglePlaying(),
    glfw.KEY_LEFT_BRACKET: StepCamera(-1),
    glfw.KEY_RIGHT_BRACKET: StepCamera(1),
    **{glfw.KEY_1 + index: ShowNumberedView(index) for index in range(9)},
}


def action_of(key: int, ctrl: bool) -> Action | None:
    """What ``key`` asks for, with Ctrl (or Command) held or not; None for a key that does nothing at once."""
    return _WITH_OR_WITHOUT_CTRL.get((key, ctrl)) or _ANYWAY.get(key)
