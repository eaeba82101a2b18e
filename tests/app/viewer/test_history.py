"""Undo and redo: steps back and forth, what a slider does is one step, and a new change ends redo."""

from __future__ import annotations

from dataclasses import replace

from duplex.app.scene.camera_path import CameraPath
from duplex.app.viewer.history import JOINED_SECONDS, MOST_STEPS, History, Undoable
from duplex.app.viewer.look import Inspection, Look

START = Undoable(Look(), Inspection(), CameraPath(), -1)


def bright(exposure: float) -> Undoable:
    return replace(START, look=replace(START.look, exposure=exposure))


def test_back_and_forth() -> None:
    history = History()
    history.note(START, bright(1), "look", 0)
    history.note(bright(1), bright(2), "look", 10)
    assert history.undo(bright(2)) == bright(1) and history.undo(bright(1)) == START and history.undo(START) is None
    assert history.redo(START) == bright(1) and history.redo(bright(1)) == bright(2) and history.redo(bright(2)) is None


def test_what_a_slider_does_is_one_step() -> None:
    history = History()
    for i in range(5):
        history.note(bright(i), bright(i + 1), "look", i * 0.5 * JOINED_SECONDS)
    history.note(bright(5), replace(bright(5), path=CameraPath(loop=True)), "path", 2.5 * JOINED_SECONDS)
    assert history.undo(replace(bright(5), path=CameraPath(loop=True))) == bright(5)
    assert history.undo(bright(5)) == bright(0)


def test_a_change_ends_redo_and_what_changes_nothing_is_no_step() -> None:
    history = History()
    history.note(START, START, "look", 0)
    assert history.undo(START) is None
    history.note(START, bright(1), "look", 0)
    assert history.undo(bright(1)) == START
    history.note(START, bright(3), "look", 5)
    assert history.redo(bright(3)) is None
    history.forget()
    assert history.undo(bright(3)) is None


def test_steps_are_bounded() -> None:
    history = History()
    for i in range(MOST_STEPS + 50):
        history.note(bright(i), bright(i + 1), "look", 10.0 * i)
    now, steps = bright(MOST_STEPS + 50), 0
    while found := history.undo(now):
        now, steps = found, steps + 1
    assert steps == MOST_STEPS and now == bright(50)
