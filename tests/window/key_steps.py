"""Each key that acts at once."""

from __future__ import annotations

from pathlib import Path

import glfw
import numpy as np
from PIL import Image

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
