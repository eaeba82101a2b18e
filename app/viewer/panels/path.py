"""The panel's section *Path*, which shows the keyframe editor; and the path over the scene."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import imgui

from duplex.app.render.movies.recording import Recording
from duplex.app.scene.camera import MAX_SIDE
from duplex.app.scene.camera_path import CameraPath, Keyframe
from duplex.app.scene.path_files import MAX_SECONDS
from duplex.app.viewer.actions import Action
from duplex.app.viewer.camera.keyframe_editor import KeyframeEditor, PathOutput
from duplex.app.viewer.gui.overlay import Overlay
from duplex.app.viewer.panels import widgets
from duplex.app.viewer.path_actions import (
    AddKeyframe,
    CancelRecording,
    ChangeKeyframe,
    LoadPath,
    RecordPath,
    SavePath,
    SeekPath,
    SelectKeyframe,
    SetKeyframeToView,
    SetPath,
    SetPathOutput,
    TogglePlaying,
)

PATH_COLOR, KEYFRAME_COLOR, SELECTED_COLOR = 0xFFFFB040, 0xFF40C0FF, 0xFF4060FF  # ABGR
MAX_FPS = 240


def draw_path(editor: KeyframeEditor) -> list[Action]:
    """Declare the section."""
    actions: list[Action] = []
    path = editor.path
    if widgets.button("add keyframe (K)"):
        actions.append(AddKeyframe())
    imgui.same_line()
    imgui.begin_disabled(len(path.keyframes) < 2)
    if widgets.button("stop" if editor.playing else "play"):
        actions.append(TogglePlaying())
    imgui.end_disabled()
    actions += _draw_list(path, editor.selected)
    if editor.keyframe:
        actions += _draw_keyframe(editor.keyframe, path)
    if len(path.keyframes) > 1:
        second = min(editor.second, path.duration)
        moved, second = widgets.slider_float("second", second, 0, path.duration, "%.2f")
        if moved:
            actions.append(SeekPath(second))
    actions += _draw_timing(path)
    actions += _draw_files(editor.output)
    imgui.begin_disabled(editor.recording is not None)
    actions += _draw_recording(path, editor.output)
    imgui.end_disabled()
    return actions + (_draw_progress(editor.recording) if editor.recording else [])


def draw_path_over_scene(editor: KeyframeEditor, overlay: Overlay, size: float) -> None:
    """Declare the path and its keyframes over the scene, unless it is played; ``size``: of a camera, world units."""
    keys = editor.path.keyframes
    if editor.playing:
        return
    if len(keys) > 1:
        overlay.line(editor.preview(), PATH_COLOR)
    others = [key for i, key in enumerate(keys) if i != editor.selected]
    overlay.frusta([key.camera_to_world for key in others], [key.fov for key in others], size, KEYFRAME_COLOR)
    if key := editor.keyframe:
        overlay.frusta([key.camera_to_world], [key.fov], size, SELECTED_COLOR)


def _draw_list(path: CameraPath, selected: int) -> list[Action]:
    actions: list[Action] = []
    rows = imgui.ListClipper()
    rows.begin(len(path.keyframes))
    while rows.step():
        for i in range(rows.display_start, rows.display_end):
            imgui.push_id(i)
            chosen, _ = imgui.selectable(f"{i}   {path.seconds[i]:.1f} s", i == selected)
            if chosen:
                actions.append(SelectKeyframe(i))
            imgui.pop_id()
    return actions


def _draw_keyframe(key: Keyframe, path: CameraPath) -> list[Action]:
    """Declare the widgets of the selected keyframe."""
    actions: list[Action] = []
    if widgets.button("set to view"):
        actions.append(SetKeyframeToView())
    imgui.same_line()
    if widgets.button("remove"):
        return [ChangeKeyframe(None)]
    changed, own = widgets.checkbox("its own seconds", key.seconds is not None)
    if changed:
        actions.append(ChangeKeyframe(replace(key, seconds=path.transition if own else None)))
    elif key.seconds is not None:
        changed, seconds = widgets.slider_float("##own", key.seconds, 0.1, 20, "%.1f")
        if changed:
            actions.append(ChangeKeyframe(replace(key, seconds=_clamped(seconds))))
    return actions


def _draw_timing(path: CameraPath) -> list[Action]:
    looped, loop = widgets.checkbox("loop", path.loop)
    imgui.same_line()
    eased, ease = widgets.checkbox("slow ends", path.ease)
    timed, seconds = widgets.slider_float("seconds each", path.transition, 0.1, 20, "%.1f")
    bent, tension = widgets.slider_float("tension", path.tension, 0, 1, "%.2f")
    if not (looped or eased or timed or bent):
        return []
    tension = min(max(tension, 0), 1)
    return [SetPath(replace(path, loop=loop, ease=ease, transition=_clamped(seconds), tension=tension))]


def _draw_files(output: PathOutput) -> list[Action]:
    actions: list[Action] = []
    _, file = widgets.input_file("file", output.file)
    if widgets.button("save"):
        actions.append(SavePath())
    imgui.same_line()
    if widgets.button("load"):
        actions.append(LoadPath())
    imgui.same_line()
    _, ngp = widgets.checkbox("for instant-ngp", output.ngp)
    changed = replace(output, file=file, ngp=ngp)
    return [SetPathOutput(changed), *actions] if changed != output else actions


def _draw_progress(recording: Recording) -> list[Action]:
    text = f"{recording.done} of {recording.count} frames"
    imgui.progress_bar(recording.done / recording.count, imgui.ImVec2(-1, 0), text)
    return [CancelRecording()] if widgets.button("cancel") else []


def _draw_recording(path: CameraPath, output: PathOutput) -> list[Action]:
    actions: list[Action] = []
    _, sides = widgets.input_int2("pixels", [path.width, path.height])
    _, fps = widgets.slider_int("frames/s", round(path.fps), 1, 120)
    width, height = (min(max(side, 2), MAX_SIDE) for side in sides)
    if (width, height, fps) != (path.width, path.height, round(path.fps)):
        actions.append(SetPath(replace(path, width=width, height=height, fps=float(min(max(fps, 1), MAX_FPS)))))
    _, video = widgets.input_file("into", output.video)
    recording = widgets.button("record")
    imgui.same_line()
    _, transparent = widgets.checkbox("transparent", output.transparent)
    changed = replace(output, video=video, transparent=transparent)
    if changed != output:
        actions.append(SetPathOutput(changed))
    return [*actions, RecordPath()] if recording else actions


def _clamped(seconds: float) -> float:
    """``seconds`` as files may hold them: any number can be typed into a slider."""
    return min(max(seconds, 0.01), MAX_SECONDS)
