"""The camera under the mouse and the flight keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.viewer.actions import GoToBookmark, SetPictures
from duplex.app.viewer.camera.raycast import first_meeting, pixel_ray
from duplex.app.viewer.look import PictureSettings
from duplex.assets import DEMO_BUNDLE
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


def object_columns(s: Session, name: str) -> np.ndarray:
    """Columns of the scene's part of the window where the chair is."""
    left = round(s.state.layout.left)
    return np.flatnonzero((s.picture(name)[:, left:].min(-1) < 200).any(0))


def first_view(s: Session) -> None:
    """The first view shows all of the object beside the panel, and so does R."""
    state = s.state
    s.drop(DEMO_BUNDLE)
    width = state.layout.scene_size[0]
    for name in ("first", "reset"):
        columns = object_columns(s, f"{name}-view")
        assert columns[0] > 2 and columns[-1] < width - 3, f"{name}: the object is cut"
        s.drag(1, 90, 20)
        s.key("key", "r")
        s.frames(20)


def wheel_at_the_cursor(s: Session) -> None:
    """The wheel brings closer what is under the cursor, leaves it there, and never passes through it."""
    state = s.state
    s.key("key", "r")
    s.frames(20)
    place = (520, 300)
    ray = pixel_ray(state.window_camera(state.scene), place[0] - state.layout.left, place[1])
    met = first_meeting(state.scene.bundle.outer.mesh, *ray)
    assert met
    for _ in range(12):
        s.xdotool("mousemove", "--window", s.number, *place, "click", 4, "click", 4, "click", 4)
        s.frames(3)
    s.picture("close")
    where = s.overlay().places(met.point[None])[0]
    assert np.abs(where - place).max() < 3, "what was under the cursor has moved"
    away = np.linalg.norm(np.array(state.scene.controls.goal.eye) - met.point)
    assert 0 < away < 0.2 * met.distance, "the wheel does not come closer, or passes through"
    s.key("key", "r")
    s.frames(20)


def double_click(s: Session) -> None:
    """A double click makes what is under it what the camera turns around."""
    state = s.state
    place = (540, 320)
    ray = pixel_ray(state.window_camera(state.scene), place[0] - state.layout.left, place[1])
    met = first_meeting(state.scene.bundle.outer.mesh, *ray)
    assert met
    s.point(*place)
    s.xdotool("click", "--repeat", 2, "--delay", 40, 1)
    s.frames(3)
    target = np.array(state.scene.controls.goal.target)
    assert np.allclose(target, met.point, atol=0.02), f"a double click sets no pivot: {target}, not {met.point}"
    s.key("key", "r")


def small_window(s: Session) -> None:
    """In a window of 400 pixels the object is beside the panel too."""
    s.xdotool("windowsize", "--sync", s.number, 400, 560)
    s.frames(6)
    s.key("key", "f")
    s.frames(20)
    left, width = s.state.layout.left, s.state.layout.scene_size[0]
    assert left > 0 and width >= 150
    columns = object_columns(s, "400-wide")
    assert columns[0] > 2 and columns[-1] < width - 3
    s.xdotool("windowsize", "--sync", s.number, 720, 560)
    s.frames(6)


def bookmarks(s: Session) -> None:
    """A view is kept under a name, left, and gone back to."""
    state = s.state
    s.click("View")
    s.drag(1, 60, 10)
    s.frames(20)
    kept = np.array(state.scene.controls.goal.eye)
    s.type("name", "from the left")
    assert [each.name for each in state.scene.bookmarks] == ["from the left"]
    s.key("key", "Escape")
    s.key("key", "r")
    s.frames(20)
    s.click("bookmarks")
    s.picture("bookmarks")
    s.xdotool("key", "Escape")
    s.apply(GoToBookmark(0))
    s.frames(20)
    assert np.allclose(np.array(state.scene.controls.goal.eye), kept, atol=1e-3), "the bookmark leads elsewhere"
    s.click("forget the last")
    assert not state.scene.bookmarks
    s.click("View")
    s.key("key", "r")


def saved_pictures(s: Session) -> None:
    """Pictures are saved in their own size, without background, with several samples a pixel."""
    state = s.state
    s.apply(SetPictures(PictureSettings((96, 64), transparent=True, samples=2)))
    before = set(Path.home().glob("*.png"))
    s.key("key", "F12")
    (file,) = set(Path.home().glob("*.png")) - before
    with Image.open(file) as picture:
        assert picture.mode == "RGBA" and picture.size == (96, 64)
        alpha = np.asarray(picture)[..., 3]
        assert alpha[0, 0] == 0 and alpha.max() == 255
    s.apply(SetPictures(PictureSettings()))
    assert state.pictures == PictureSettings()
