"""The camera under the mouse and the flight keys."""

from __future__ import annotations

import numpy as np

from window.driver import Session, differ


def mouse(s: Session) -> None:
    """Orbit, pan, dolly and framing."""
    state = s.state
    start = s.scene("start")
    assert (start.min(-1) < 200).mean() > 0.02, "the chair is not there"
    panel = s.picture("panel")[:, :300]
    assert (panel.max(-1) < 90).mean() > 0.4, "the panel is not there"

    eye = np.array(state.scene.controls.goal.eye)
    s.drag(1, 90, 20)
    turned = s.scene("orbited")
    assert differ(start, turned) > 1 and not np.allclose(eye, np.array(state.scene.controls.goal.eye))
    target = np.array(state.scene.controls.goal.target)
    s.drag(3, 40, 0)
    assert not np.allclose(target, np.array(state.scene.controls.goal.target)), "the right button does not pan"
    distance = state.scene.controls.goal.distance
    s.xdotool("mousemove", "--window", s.number, 500, 300, "click", 4, "click", 4)
    s.frames(3)
    assert state.scene.controls.goal.distance < distance, "the wheel does not move closer"
    s.key("key", "f")
    assert np.allclose(np.array(state.scene.controls.goal.target), state.scene.renderer.center), (
        "F does not frame the object"
    )


def flight(s: Session) -> None:
    """W flies forward; a movement is drawn coarser, a camera at rest in full."""
    state = s.state
    eye = np.array(state.scene.controls.goal.eye)
    s.key("keydown", "w")
    s.frames(6)
    s.key("keyup", "w")
    moved = np.array(state.scene.controls.goal.eye) - eye
    assert moved @ np.array(state.scene.controls.goal.forward) > 0, "W does not fly forward"
    assert not s.viewer.input.pressed, "a released key is still held"
    s.look(frame_rate=120)  # more than this machine can, so that movement is drawn coarser
    s.key("keydown", "w")
    s.frames(12)
    assert state.drawn_size[0] < 420, "a movement is not drawn coarser"
    s.key("keyup", "w")
    s.picture("at-rest-again")
    assert state.drawn_size == (420, 560), "a camera at rest is not drawn in full"
    s.look(frame_rate=30)
    s.key("key", "f")
