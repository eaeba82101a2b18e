"""Actions change the viewer's state, without a window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest

from builders.bundles import parts_of, seen_from_above, with_manifest, write_parts
from duplex.app.render.views import FINAL, Unseen, View
from duplex.app.scene.bundle import Bundle
from duplex.app.viewer.actions import (
    Click,
    CloseFile,
    JumpToCamera,
    NextCameraMode,
    OpenFile,
    SavePicture,
    SetInspection,
    SetLook,
    ShowHelp,
    ShowNumberedView,
    StepCamera,
    TogglePanel,
    Turn,
)
from duplex.app.viewer.apply_actions import apply
from duplex.app.viewer.gui.layout import Layout
from duplex.app.viewer.gui.overlay import Overlay
from duplex.app.viewer.look import Inspection, SecondView
from duplex.app.viewer.path_actions import AddKeyframe, ChangeKeyframe, SavePath, SelectKeyframe, TogglePlaying
from duplex.app.viewer.settings import Settings
from duplex.app.viewer.state import ViewerState


@pytest.fixture
def state(ctx: moderngl.Context, demo: Bundle, demo_file: Path) -> ViewerState:
    """The demo is open, in a window of 96 x 64."""
    made = ViewerState(ctx, Settings(), "fragment")
    made.layout = Layout((96, 64), (96, 64))
    made.show(demo, demo_file)
    return made


def test_without_a_scene_only_the_window_answers(ctx: moderngl.Context) -> None:
    state = ViewerState(ctx, Settings())
    for action in (SetLook(replace(state.look, exposure=1.0)), NextCameraMode(), AddKeyframe(), SavePicture()):
        apply(action, state)
    assert state.look.exposure == 0 and not state.notices.lines
    apply(TogglePanel(), state)
    apply(ShowHelp(True), state)
    assert not state.panel_visible and state.help_visible


def test_files_are_opened_and_closed(state: ViewerState, demo_file: Path) -> None:
    scene = state.scene
    apply(OpenFile(demo_file.with_name("nowhere.bundle")), state)
    assert state.scene is scene and "nowhere.bundle" in state.notices.lines[-1].text
    apply(OpenFile(demo_file), state)
    assert state.scene is not scene and state.settings.recent == [str(demo_file)] and "scene.bundle" in state.title
    apply(CloseFile(), state)
    assert state.scene is None and state.title == "duplex"


@pytest.mark.parametrize(
    ("rig", "words"),
    [
        ('{"surrounded": true, "center": [1e400, 0, 0]}', "rig: center: holds inf"),
        ('{"surrounded": "yes"}', "surrounded: yes: expected true or false"),
        ('{"surrounded": true, "center": ["' + "x" * 5000 + '"]}', "expected 3 finite numbers"),
    ],
)
def test_a_hostile_bundle_is_a_notice_and_the_open_one_stays(
    state: ViewerState, demo_file: Path, rig: str, words: str
) -> None:
    scene = state.scene
    write_parts(demo_file, parts_of(demo_file) | {"cameras.json": f'{{"rig": {rig}, "cameras": []}}'.encode()})
    with_manifest(demo_file, lambda m: None)
    apply(OpenFile(demo_file), state)
    text = state.notices.lines[-1].text
    assert state.scene is scene and words in text and len(text) <= 300 and "\n" not in text


def test_digits_show_the_views_that_there_are(state: ViewerState) -> None:
    apply(ShowNumberedView(2), state)
    assert state.look.view == state.scene.renderer.views[2] != FINAL
    apply(ShowNumberedView(999), state)
    assert state.look.view == state.scene.renderer.views[2]


def test_cameras_are_stepped_through_and_clicked(state: ViewerState) -> None:
    scene, count = state.scene, len(state.scene.bundle.cameras)
    apply(StepCamera(-1), state)
    assert scene.camera_index == count - 1
    apply(StepCamera(1), state)
    assert scene.camera_index == 0 and f"camera 0, the last is {count - 1}" in state.notices.lines[-1].text
    apply(JumpToCamera(1), state)
    assert np.allclose(np.array(scene.controls.goal.eye), scene.bundle.cameras[1].position)
    state.look = replace(state.look, show_cameras=True)
    eyes = np.stack([camera.position for camera in scene.bundle.cameras])
    places = Overlay(state.window_camera(scene), state.layout.left).places(eyes)
    seen = int(np.flatnonzero(np.isfinite(places[:, 0]))[0])
    apply(Click(*places[seen]), state)
    assert np.allclose(places[scene.camera_index], places[seen], atol=1e-3)


def test_keyframes_are_added_selected_and_removed(state: ViewerState) -> None:
    editor = state.scene.editor
    apply(SavePath(), state)
    assert "this path is empty" in state.notices.lines[-1].text
    for index in range(3):
        apply(JumpToCamera(index), state)
        state.scene.controls.arrive()
        apply(AddKeyframe(), state)
    apply(SelectKeyframe(1), state)
    shown = state.scene.controls.camera(10, 10)
    assert np.allclose(shown.camera_to_world, state.scene.bundle.cameras[1].camera_to_world, atol=1e-6)
    assert editor.second == editor.path.seconds[1]
    apply(ChangeKeyframe(None), state)
    assert len(editor.path.keyframes) == 2 and editor.selected == 1
    apply(TogglePlaying(), state)
    before = editor.second
    state.move(0.25, None)
    assert editor.playing and editor.second == pytest.approx(before + 0.25)


def test_a_picture_is_saved_beside_the_bundle(state: ViewerState, demo_file: Path) -> None:
    apply(SavePicture(), state)
    assert (demo_file.parent / "scene-001.png").exists()


def test_what_the_driver_refuses_is_replaced_by_the_plain_picture(
    state: ViewerState, ctx: moderngl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(SetLook(replace(state.look, view=View.parse("outer depth"), pattern="checker")), state)
    apply(SetInspection(Inspection(second=SecondView(View.parse("alpha")), network=False)), state)

    def refuse(*_: object) -> None:
        raise moderngl.Error("no")

    monkeypatch.setattr(state.painter, "paint", refuse)
    out = ctx.framebuffer([ctx.texture((96, 64), 4)])
    state.draw(0.01, out)
    assert state.scene and state.look.view == FINAL and state.inspection == Inspection()
    state.draw(0.01, out)
    assert state.scene is None


def test_unseen_parts_are_noticed_and_shown_as_wanted(
    state: ViewerState, ctx: moderngl.Context, demo: Bundle, demo_file: Path
) -> None:
    out = ctx.framebuffer([ctx.texture((96, 64), 4)])
    state.draw(0.1, out)
    assert not state.sees_unseen  # everything was seen
    state.show(seen_from_above(demo), demo_file)
    pictures = {}
    for unseen in Unseen:
        apply(SetLook(replace(state.look, unseen=unseen)), state)
        state.draw(0.1, out)
        assert state.sees_unseen
        pictures[unseen] = out.read()
    assert len(set(pictures.values())) == 3
    state.show(demo, demo_file)
    state.draw(0.1, out)
    assert not state.sees_unseen


def test_an_orbit_is_held_where_cameras_were(state: ViewerState, demo: Bundle, demo_file: Path) -> None:
    state.show(replace(demo, rig=demo.rig | {"elevations": [0.0, 0.6]}), demo_file)
    assert state.scene
    start, eyes = state.scene.controls.goal, []
    for limited in (False, True):
        state.scene.controls.goal = start
        apply(SetLook(replace(state.look, limited=limited)), state)
        apply(Turn(0, -400), state)
        eyes.append(np.array(state.scene.controls.goal.eye) - np.array(start.target))
    sines = [eye @ demo.up / np.linalg.norm(eye) for eye in eyes]
    assert sines[0] < -0.5 < -np.sin(np.radians(15)) < sines[1] < 0


@pytest.mark.parametrize(("kept", "limited"), [("hide", True), ("fade", False)])
def test_the_look_begins_as_the_settings_say(ctx: moderngl.Context, kept: str, limited: bool) -> None:
    look = ViewerState(ctx, Settings(unseen=kept, limited=limited)).look
    assert look.unseen is Unseen(kept) and look.limited is limited
