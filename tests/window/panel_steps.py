"""The panel: redrawn only when needed, hidden, resized, replaced by the welcome."""

from __future__ import annotations

import time
from pathlib import Path

import glfw
import numpy as np

from duplex.assets import DEMO_BUNDLE
from window.driver import Session, differ


def resting_panel(s: Session) -> None:
    """A panel that nobody uses is not declared again in every frame."""
    state = s.state
    s.point(600, 300)
    state.notices.lines.clear()
    before = s.picture("resting")
    declared = 0
    for _ in range(12):
        s.widgets.places.clear()
        s.frames(1)
        declared += bool(s.widgets.places)
    resting = s.picture("still-resting")
    assert declared < 6, f"the panel of a resting window is declared in {declared} of 12 frames"
    text = np.abs(resting - before)[:, :300].max(-1) > 8
    assert text.mean() < 0.03, "another panel is restored"  # figures change once a second


def answered_key(s: Session) -> None:
    """Whatever comes in is answered by the next frame."""
    s.point(600, 300)
    resting = s.picture("before-a-key")
    s.xdotool("key", "3")
    for _ in range(1000):
        glfw.poll_events()
        s.viewer.apply_input()
        if s.view != "final":
            break
        time.sleep(0.002)
    s.viewer.frame()
    answered = s.drawn(720, 560)
    assert differ(answered[:, 320:], resting[:, 320:]) > 1, "a key is not answered by the next frame"
    assert differ(answered[:100, :300], resting[:100, :300]) > 0.1, "the panel does not say what a key has changed"
    s.window.swap_buffers()
    s.key("key", "1")


def hidden_panel(s: Session) -> None:
    """Tab hides the panel."""
    panel = s.picture("panel-to-hide")[:, :300]
    s.key("key", "Tab")
    assert differ(s.picture("no-panel")[:, :300], panel) > 10, "Tab does not hide the panel"
    s.key("key", "Tab")


def resized_window(s: Session) -> None:
    """A resized window is redrawn in its whole size."""
    state = s.state
    s.xdotool("windowsize", "--sync", s.number, 900, 640)
    s.frames(4)
    state.notices.lines.clear()
    larger = s.picture("resized")
    s.frames(12)
    assert differ(s.picture("resized-and-resting")[:, :300], larger[:, :300]) < 3
    state.ctx.screen.use()
    state.ctx.screen.clear(0.0, 0.0, 1.0, viewport=(0, 0, 900, 640))
    assert s.viewer.panel_cache.restore((300, 640), 0.0, state.ctx.screen)
    restored = s.drawn(300, 640)
    assert differ(restored, larger[:, :300]) < 3, "only a part of the panel is restored"
    assert larger.shape[:2] == (640, 900), f"after resizing the picture is {larger.shape}"
    assert (np.abs(larger[:, 320:] - larger[2, -3]).max(-1) > 8).mean() > 0.02


def nothing_open(s: Session) -> None:
    """The bundle is closed, and the demo opened from the welcome."""
    state = s.state
    for header in ("View", "Camera", "File"):
        s.click(header)
    s.click("close")
    welcome = s.picture("welcome")
    assert state.scene is None and s.window.title == "duplex"
    assert (welcome[:, :160].reshape(-1, 3).std(0) < 1).all(), "the panel is still there"
    assert welcome[200:360, 300:420].std() > 10, "there is no welcome"
    pictures = set(Path.home().glob("*.png"))
    s.key("key", "f", "key", "F12", "key", "3", "key", "k", "key", "Tab", "key", "Tab")
    s.click("demo")
    s.frames()
    assert state.scene and state.scene.path == DEMO_BUNDLE, state.scene and state.scene.path
    s.scene("from-the-welcome")
    assert s.view == "final" and not s.editor.path.keyframes, "what is asked for where nothing is open is done later"
    assert set(Path.home().glob("*.png")) == pictures, "a picture of nothing is saved"
    for header in ("File", "Camera", "View"):
        s.click(header)


def menus(s: Session) -> None:
    """The menu bar names what there is to do, and does it."""
    s.key("key", "k")
    count = len(s.editor.path.keyframes)
    assert count
    s.click("Edit")
    s.picture("edit-menu")
    s.click("Undo")
    assert len(s.editor.path.keyframes) == count - 1, "the menu does not undo"
    s.click("Help")
    s.click("Keys and mouse")
    assert s.state.help_visible
    s.key("key", "Escape")
    assert not s.state.help_visible


def panel_width(s: Session) -> None:
    """The panel's edge is dragged, the scene takes what is left, and the width is remembered."""
    state = s.state
    before = state.layout.left
    s.drag(1, 60, 0, begin=(round(before), 400))
    s.frames(2)
    assert abs(state.layout.left - before - 60) < 3, "the panel's edge cannot be dragged"
    assert state.settings.panel == round(state.layout.left / state.layout.scale)
    assert state.layout.scene_size[0] == round(s.picture("wider-panel").shape[1] - state.layout.left)
    s.drag(1, -60, 0, begin=(round(state.layout.left), 400))
    assert abs(state.layout.left - before) < 3


def file_list(s: Session) -> None:
    """Where the system has no dialog, Ctrl+O lists files: folders are entered, a bundle is opened."""
    state, browser = s.state, s.state.file_dialog.browser
    folder = s.folder / "scenes"
    folder.mkdir()
    (folder / "one.bundle").write_bytes(DEMO_BUNDLE.read_bytes())
    (folder / "notes.txt").write_text("no scene")
    browser.folder = s.folder
    state.file_dialog._available = False
    s.key("key", "ctrl+o")
    assert browser.is_open
    s.click("scenes")
    assert browser.folder == folder and [entry.name for entry in browser._entries] == ["one.bundle"]
    s.picture("file-list")
    s.click("all files")
    assert {entry.name for entry in browser._entries} == {"one.bundle", "notes.txt"}
    s.key("key", "Escape")
    assert not browser.is_open
    s.key("key", "ctrl+o")
    s.click("one.bundle")
    assert state.scene.path == folder / "one.bundle" and not browser.is_open
    s.drop(DEMO_BUNDLE)
    s.frames(12)


def hints(s: Session) -> None:
    """What rests on a control is told what it is for."""
    s.frames(2)
    x, y = s.widgets.places["exposure"]
    plain = s.picture("no-hint")
    s.point(round(x), round(y))
    for _ in range(40):
        s.frames(1)
    hinted = s.picture("hint")
    below = np.s_[round(y) + 12 : round(y) + 70, 20:290]
    assert differ(hinted[below], plain[below]) > 5, "no hint"
    s.point(600, 300)


def typed_name(s: Session) -> None:
    """Enter opens what is typed, says what is wrong with it, and leaves the cursor in the field."""
    s.click("Camera")
    s.click("File")
    s.type("path", "/nowhere.bundle")
    assert s.notes("nowhere.bundle") and s.viewer.ui.typing, "the field has lost the keyboard"
    s.key("key", "Escape")
    s.click("File")
    s.click("Camera")
