"""Each key that acts at once."""

from __future__ import annotations

from pathlib import Path

import glfw
import numpy as np
from PIL import Image

from duplex.app.viewer.gui.popups import any_popup
from window.driver import Session, differ


def modes_and_views(s: Session) -> None:
    """O steps through the camera modes, digits choose a view."""
    state = s.state
    s.key("key", "1")
    start = s.scene("keys")
    for mode in ("fly", "trackball", "orbit"):
        s.key("key", "o")
        assert state.scene.controls.mode == mode
    s.key("key", "3")
    assert s.view == str(state.scene.renderer.views[2]) and differ(s.scene("third-view"), start) > 1
    s.key("key", "1")


def preset_cameras(s: Session) -> None:
    """Brackets go to the next camera of the bundle and back around the end of the list."""
    state = s.state
    start = s.scene("before-brackets")
    s.key("key", "bracketright")
    s.key("key", "bracketright")
    second = s.scene("second-camera")
    assert state.scene.camera_index == 1 and differ(second, start) > 1
    shown = state.scene.controls.camera(10, 10).camera_to_world
    assert np.allclose(shown, state.scene.bundle.cameras[1].camera_to_world, atol=1e-6), (
        "] does not go to the second camera"
    )
    s.key("key", "bracketleft")
    s.key("key", "bracketleft")
    assert state.scene.camera_index == len(state.scene.bundle.cameras) - 1
    s.picture("last-camera")


def copied_view(s: Session) -> None:
    """A view is copied, left by R, and pasted."""
    state = s.state
    s.key("key", "ctrl+c")
    copied = state.scene.controls.goal
    s.key("key", "r")
    s.picture("reset")
    assert np.allclose(
        state.scene.controls.camera(10, 10).camera_to_world, state.scene.start.camera_to_world, atol=1e-6
    )
    s.key("key", "ctrl+v")
    s.picture("pasted")
    assert np.allclose(np.array(state.scene.controls.goal.eye), np.array(copied.eye)), "the copied view is not pasted"


def help_page(s: Session) -> None:
    """The list of keys opens and closes."""
    state = s.state
    s.key("key", "shift+slash")
    assert state.help_visible and differ(s.scene("help"), s.scene("help")) < 0.5
    helped = s.scene("help")
    s.key("key", "Escape")
    assert not state.help_visible and differ(s.scene("no-help"), helped) > 5


def played_path(s: Session) -> None:
    """K adds keyframes, the space bar plays them."""
    state = s.state
    for _ in range(3):
        s.key("key", "k")
        s.drag(1, 60, 10)
    s.picture("path")
    assert len(s.editor.path.keyframes) == 3
    s.key("key", "space")
    assert s.editor.playing
    s.frames(6)
    assert s.editor.second > 0 and s.editor.playing
    s.key("key", "space")
    assert not s.editor.playing
    at = s.editor.path.camera(s.editor.second).camera_to_world
    assert np.allclose(state.scene.controls.camera(10, 10).camera_to_world, at, atol=1e-6), (
        "playing does not move the camera"
    )


def pictures_and_full_screen(s: Session) -> None:
    """F12 saves a picture without the panel, F11 fills the screen."""
    s.key("key", "F12")
    (saved,) = Path.home().glob("demo-*.png")
    s.frames(2)
    assert Image.open(saved).size == (420, 560)
    s.key("key", "F11")
    s.frames(3)
    assert glfw.get_framebuffer_size(s.window._window) == (1280, 1024), "F11 does not fill the screen"
    s.picture("full-screen")
    s.key("key", "F11")
    s.frames(3)
    assert glfw.get_framebuffer_size(s.window._window) == (720, 560)
    s.key("key", "r")
    s.key("key", "f")


def modifiers_let_go(s: Session) -> None:
    """Shift or Ctrl pressed and let go alone leaves widgets as they were."""
    for name in ("shift", "ctrl"):
        s.key("keydown", name)
        s.key("keyup", name)
        s.click("Camera")
        s.widgets.places.pop("frame (F)", None)
        s.frames(2)
        assert "frame (F)" not in s.widgets.places, f"after {name} alone, headers are dead"
        s.click("Camera")


def letters_of_another_layout(s: Session) -> None:
    """On a German keyboard Ctrl+Z undoes where Z is printed; WASD stays in its place on a French one."""
    state = s.state
    try:
        s.layout("de")
        s.key("key", "k")
        assert len(s.editor.path.keyframes) == 1
        s.key("key", "ctrl+z")
        assert not s.editor.path.keyframes, "Ctrl+Z does not undo"
        s.key("key", "ctrl+y")
        assert len(s.editor.path.keyframes) == 1, "Ctrl+Y does not redo"
        s.key("key", "ctrl+z")
        s.layout("fr")  # Z is where W was
        eye = np.array(state.scene.controls.goal.eye)
        s.key("keydown", "z")
        s.frames(4)
        s.key("keyup", "z")
        moved = np.array(state.scene.controls.goal.eye) - eye
        assert moved @ np.array(state.scene.controls.goal.forward) > 0, "the key in W's place does not fly"
    finally:
        s.layout("us")
    s.key("key", "r")


def commands_with_ctrl(s: Session) -> None:
    """Ctrl+S saves the path and flies nowhere."""
    s.key("key", "k")
    eye = np.array(s.state.scene.controls.goal.eye)
    s.key("keydown", "ctrl")
    s.key("keydown", "s")
    s.frames(4)
    s.key("keyup", "s")
    s.key("keyup", "ctrl")
    assert np.allclose(eye, np.array(s.state.scene.controls.goal.eye)), "Ctrl+S flies"
    assert Path(s.editor.output.file).is_file() and s.notes("saved"), "Ctrl+S does not save the path"
    s.key("key", "ctrl+z")


def escape_closes(s: Session) -> None:
    """Escape closes a drop-down; F1 shows the keys, and Escape hides them."""
    s.click("show")
    assert any_popup()
    s.key("key", "Escape")
    s.frames(3)
    assert not any_popup(), "Escape leaves the drop-down open"
    s.key("key", "F1")
    assert s.state.help_visible
    s.key("key", "Escape")
    assert not s.state.help_visible


def horizon_is_level_at_once(s: Session) -> None:
    """What leaves the trackball levels the horizon, and the first drag afterwards is as small as any."""
    controls = s.state.scene.controls
    s.key("key", "o")
    s.key("key", "o")
    assert controls.mode == "trackball"
    for _ in range(2):
        s.drag(1, 60, 40)
        s.drag(1, 40, -80)
    s.key("key", "o")
    before = np.array(controls.goal.rotation)
    s.drag(1, 6, 0)
    assert np.abs(np.array(controls.goal.rotation) - before).max() < 0.05, "the first drag jumps"
    s.key("key", "r")
