"""Which action a key gives."""

from __future__ import annotations

import glfw
import pytest

from duplex.app.viewer.actions import (
    BrowseFiles,
    CopyView,
    FrameScene,
    NextCameraMode,
    Redo,
    ShowNumberedView,
    StepCamera,
    Undo,
)
from duplex.app.viewer.input.keys import action_of, lettered
from duplex.app.viewer.path_actions import SavePath


def test_ctrl_decides_where_a_letter_has_two_meanings() -> None:
    assert action_of(glfw.KEY_C, True) == CopyView() and action_of(glfw.KEY_C, False) is None
    assert action_of(glfw.KEY_O, True) == BrowseFiles() and action_of(glfw.KEY_O, False) == NextCameraMode()
    assert action_of(glfw.KEY_S, True) == SavePath() and action_of(glfw.KEY_Z, True) == Undo()
    assert action_of(glfw.KEY_Z, True, shift=True) == action_of(glfw.KEY_Y, True) == Redo()
    assert action_of(glfw.KEY_F, False) == FrameScene() and action_of(glfw.KEY_F, True) is None


def test_digits_and_brackets_act_with_and_without_ctrl() -> None:
    for ctrl in (False, True):
        assert action_of(glfw.KEY_9, ctrl) == ShowNumberedView(8)
        assert action_of(glfw.KEY_LEFT_BRACKET, ctrl) == StepCamera(-1)


def test_letters_are_those_of_the_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    german = {glfw.KEY_Y: "z", glfw.KEY_Z: "y", glfw.KEY_F: "f", glfw.KEY_SEMICOLON: "ö", glfw.KEY_TAB: None}
    monkeypatch.setattr(glfw, "get_key_name", lambda key, scancode: german[key])
    found = [lettered(key) for key in german]
    assert found == [glfw.KEY_Z, glfw.KEY_Y, glfw.KEY_F, glfw.KEY_SEMICOLON, glfw.KEY_TAB]
