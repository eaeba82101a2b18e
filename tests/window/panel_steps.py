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
