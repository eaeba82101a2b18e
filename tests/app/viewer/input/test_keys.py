"""Which action a key gives."""

from __future__ import annotations

import glfw

from duplex.app.viewer.actions import CopyView, FrameScene, ShowNumberedView, StepCamera
from duplex.app.viewer.input.keys import action_of


def test_ctrl_decides_where_a_letter_has_two_meanings() -> None:
    assert action_of(glfw.KEY_C, True) == CopyView() and action_of(glfw.KEY_C, False) is None
    assert action_of(glfw.KEY_F, False) == FrameScene() and action_of(glfw.KEY_F, True) is None


def test_digits_and_brackets_act_with_and_without_ctrl() -> None:
    for ctrl in (False, True):
        assert action_of(glfw.KEY_9, ctrl) == ShowNumberedView(8)
        assert action_of(glfw.KEY_LEFT_BRACKET, ctrl) == StepCamera(-1)
