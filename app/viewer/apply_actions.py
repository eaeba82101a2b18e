"""Does what an action asks for. :func:`apply` is the only place where actions change the state."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, sentence_of
from duplex.app.core.images import save_png
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.gpu import color_target, driver_errors
from duplex.app.scene.camera import MAX_SIDE, Camera
from duplex.app.viewer import actions as a
from duplex.app.viewer import path_actions as p
from duplex.app.viewer.camera.bookmarks import Bookmark
from duplex.app.viewer.camera.camera_controls import FASTEST, MODES, SLOWEST
from duplex.app.viewer.camera.raycast import Meeting, first_meeting, pixel_ray
from duplex.app.viewer.files.opening import open_file
from duplex.app.viewer.gui.clipboard import clipboard, copy
from duplex.app.viewer.gui.overlay import Overlay
from duplex.app.viewer.measurements import backend_agreement, reference_quality
from duplex.app.viewer.open_scene import OpenScene, folder_for_output
from duplex.app.viewer.settings import PANEL_WIDTHS
from duplex.app.viewer.state import ViewerState

NEAR = 12  # pixels between a camera and a click that chooses it


def apply(action: a.Action, state: ViewerState) -> None:
    """Apply ``action``; a notice says what went wrong. What needs a scene does nothing where none is open."""
    scene = state.scene
    before = state.undoable
    try:
        if isinstance(action, a.WindowAction):
            _apply_to_window(action, state)
        elif not scene:
            return
        elif isinstance(action, a.ViewAction):
            _apply_to_view(action, state, scene)
        elif isinstance(action, a.CameraAction):
            _apply_to_camera(action, state, scene)
        elif isinstance(action, p.PathAction):
            _apply_to_path(action, state, scene)
    except (DuplexError, OSError) as error:
        state.notices.error(sentence_of(error))
    after = state.undoable
    if before and after and scene is state.scene and not isinstance(action, a.Undo | a.Redo):
        state.history.note(before, after, type(action), time.monotonic())
    if before and after and before.path is not after.path:
        state.unkept = True


def _apply_to_window(action: a.WindowAction, state: ViewerState) -> None:
    match action:
        case a.TogglePanel():
            state.panel_visible = not state.panel_visible
        case a.SetPanelWidth(width):
            state.settings.panel = round(min(max(width, PANEL_WIDTHS[0]), PANEL_WIDTHS[1]))
        case a.ToggleHelp():
            state.help_visible = not state.help_visible
        case a.ShowHelp(visible):
            state.help_visible = visible
        case a.Dismiss():
            state.help_visible, state.dialog, state.file_dialog.browser.is_open = False, None, False
            state.dismissing = True
        case a.CloseDialog():
            state.dialog = None
        case a.CopyText(text):
            copy(text)
            state.notices.note("copied")
        case a.OpenFile(path):
            open_file(path, state)
        case a.BrowseFiles():
            state.file_dialog.open()
        case a.CloseFile():
            state.close_scene()
        case a.ReportError(text):
            state.notices.error(text)


def _apply_to_view(action: a.ViewAction, state: ViewerState, scene: OpenScene) -> None:
    match action:
        case a.SetLook(look):
            state.set_look(look)
        case a.SetInspection(inspection):
            state.inspection = inspection
        case a.ShowNumberedView(index):
            if index < len(scene.renderer.views):
                state.set_look(replace(state.look, view=scene.renderer.views[index]))
        case a.CompareBackends():
            shells = state.inspection.shells
            agreement = backend_agreement(scene.renderer, state.drawn_camera(scene), shells)
            state.measurements = replace(state.measurements, agreement=agreement)
        case a.SetTrueLength(length):
            state.measurements = state.measurements.calibrated(length)
        case a.SetPictures(settings):
            state.pictures = settings
        case a.SavePicture():
            _save_picture(state, scene)
        case a.Undo() | a.Redo():
            step = state.history.undo if isinstance(action, a.Undo) else state.history.redo
            present = state.undoable
            if present and (found := step(present)):
                state.restore(found, scene)
            else:
                state.notices.note("nothing to undo" if isinstance(action, a.Undo) else "nothing to do again")


def _apply_to_camera(action: a.CameraAction, state: ViewerState, scene: OpenScene) -> None:
    controls = scene.controls
    match action:
        case a.Turn(dx, dy):
            controls.turn(dx, dy, scene.elevations if state.look.limited else None)
        case a.Pan(dx, dy):
            controls.pan(dx, dy, state.layout.size[1])
        case a.Dolly(notches, place):
            controls.dolly(notches, _pointed(place, state, scene) if place else None)
        case a.Click(x, y):
            _click(x, y, state, scene)
        case a.SetPivot(x, y):
            if not state.inspection.measuring and (met := _met((x, y), state, scene)):
                controls.look_at(met.point)
        case a.FrameScene():
            scene.frame(state.layout.scene_size)
        case a.ResetCamera():
            scene.reset(state.layout.scene_size)
        case a.NextCameraMode():
            controls.set_mode(MODES[(MODES.index(controls.mode) + 1) % len(MODES)])
            state.notices.note(f"camera: {controls.mode}")
        case a.SetCameraMode(mode):
            controls.set_mode(mode)
        case a.SetFieldOfView(radians):
            controls.fov = radians
        case a.SetUp(up):
            controls.set_up(up)
        case _:
            _go_to_view(action, state, scene)


def _go_to_view(action: a.CameraAction, state: ViewerState, scene: OpenScene) -> None:
    """Apply what is about views that are known: copied, kept, the bundle's."""
    controls = scene.controls
    match action:
        case a.CopyView():
            copy(controls.to_text())
            state.notices.note("copied the view: paste it here again with Ctrl+V, or save it for --camera")
        case a.PasteView():
            controls.paste(clipboard(), scene.center)
        case a.LookFrom(side):
            controls.look_from(side)
        case a.SetFlySpeed(times):
            controls.speed = min(max(times, SLOWEST), FASTEST)
        case a.ScaleFlySpeed(times):
            controls.speed = min(max(times * controls.speed, SLOWEST), FASTEST)
            state.notices.note(f"fly speed {controls.speed:.2g}")
        case a.AddBookmark(name):
            scene.set_bookmarks([*scene.bookmarks, Bookmark(name, state.window_camera(scene))])
        case a.GoToBookmark(index):
            controls.set(scene.bookmarks[index].camera, scene.center)
        case a.RemoveBookmark(index):
            scene.set_bookmarks(scene.bookmarks[:index] + scene.bookmarks[index + 1 :])
        case a.JumpToCamera(index):
            scene.jump(index)
        case a.StepCamera(step):
            _step(step, state, scene)
        case a.GoToReference(index):
            reference = scene.bundle.references[index]
            quality = reference_quality(scene.renderer, reference)
            state.measurements = replace(state.measurements, quality=quality)
            controls.set(reference.camera, scene.center)


def _apply_to_path(action: p.PathAction, state: ViewerState, scene: OpenScene) -> None:
    editor = scene.editor
    camera = state.window_camera(scene)
    match action:
        case p.AddKeyframe(announced):
            editor.add(camera)
            if announced:
                state.notices.note(f"keyframe {editor.selected}, the last is {len(editor.path.keyframes) - 1}")
        case p.SelectKeyframe(index):
            keyframe = editor.select(index)
            scene.show(Camera.from_fov(keyframe.camera_to_world, camera.width, camera.height, keyframe.fov))
        case p.SetKeyframeToView():
            if editor.keyframe:
                editor.change(replace(editor.keyframe, camera_to_world=camera.camera_to_world, fov=camera.fov_y))
        case p.ChangeKeyframe(keyframe):
            editor.change(keyframe)
        case p.SetPath(path):
            editor.path = path
        case p.SeekPath(second):
            scene.show(editor.seek(second))
        case p.TogglePlaying():
            editor.toggle_playing()
        case p.SetPathOutput(output):
            editor.output = output
        case p.SavePath():
            editor.save()
            state.notices.note(f"{editor.output.file}: {len(editor.path.keyframes)} keyframes, saved")
        case p.LoadPath():
            editor.load()
            state.notices.note(f"{editor.output.file}: {len(editor.path.keyframes)} keyframes, loaded")
        case p.RecordPath():
            options = FrameOptions(background=(*state.look.background, 1.0), unseen=state.look.unseen)
            editor.record(scene.renderer, options)
        case p.CancelRecording():
            editor.cancel_recording()


def _click(x: float, y: float, state: ViewerState, scene: OpenScene) -> None:
    """Measure at ``x``, ``y``, or go to the bundle's camera that is drawn nearest, if it is near."""
    if state.inspection.measuring:
        if met := _met((x, y), state, scene):
            state.measurements = state.measurements.clicked(met.point)
        return
    if not state.look.show_cameras:
        return
    eyes = np.array([camera.position for camera in scene.bundle.cameras]).reshape(-1, 3)
    overlay = Overlay(state.window_camera(scene), state.layout.left)
    distances = np.linalg.norm(overlay.places(eyes) - (x, y), axis=1)
    if np.nanmin(np.append(distances, np.inf)) < NEAR:
        _jump(int(np.nanargmin(distances)), state, scene)


def _met(place: tuple[float, float], state: ViewerState, scene: OpenScene) -> Meeting | None:
    """Where the scene is met at ``place``, window coordinates."""
    ray = pixel_ray(state.window_camera(scene), place[0] - state.layout.left, place[1])
    return first_meeting(scene.bundle.outer.mesh, *ray)


def _pointed(place: tuple[float, float], state: ViewerState, scene: OpenScene) -> Array:
    """The point (3,) of the scene at ``place``, window coordinates, or one as far away as the target."""
    if met := _met(place, state, scene):
        return met.point
    origin, direction = pixel_ray(state.window_camera(scene), place[0] - state.layout.left, place[1])
    return np.asarray(origin + scene.controls.shown.distance * direction)


def _step(step: int, state: ViewerState, scene: OpenScene) -> None:
    """Go to the bundle's next camera, or to the one before."""
    if cameras := len(scene.bundle.cameras):
        start = max(scene.camera_index, -1 if step > 0 else 0)  # before the first jump, [ goes to the last camera
        _jump((start + step) % cameras, state, scene)


def _jump(index: int, state: ViewerState, scene: OpenScene) -> None:
    scene.jump(index)
    state.notices.note(f"camera {index}, the last is {len(scene.bundle.cameras) - 1}")


def _save_picture(state: ViewerState, scene: OpenScene) -> None:
    """Save the scene as the window shows it and the settings say, in full resolution even while the camera moves."""
    settings = state.pictures
    width, height = settings.size or state.layout.scene_box[2:]
    large = (width * settings.samples, height * settings.samples)
    folder, stem = folder_for_output(scene.path), scene.path.stem
    file = next(f for i in range(1, 10**6) if not (f := folder / f"{stem}-{i:03d}.png").exists())
    if max(large) > MAX_SIDE:
        raise DuplexError(f"a picture of {large[0]} x {large[1]} samples: expected at most {MAX_SIDE} a side")
    if settings.transparent:
        options = FrameOptions(background=TRANSPARENT, unseen=state.look.unseen)
        pixels = scene.renderer.image(scene.controls.camera(*large), options)
    else:
        with driver_errors(f"a picture of {large[0]} x {large[1]}"):
            out = state.ctx.framebuffer([color_target(state.ctx, large, "f1")])
            state.compose(large, (0, 0, *large), out)
        pixels = np.frombuffer(out.read(components=3, alignment=1), np.uint8).reshape(*large[::-1], 3)[::-1]
    save_png(_averaged(pixels, settings.samples), file)
    state.notices.note(f"{file}: {width} x {height}")


def _averaged(pixels: Array, samples: int) -> Array:
    """An image whose pixels are means of ``samples`` x ``samples`` pixels of (h, w, c) uint8."""
    if samples == 1:
        return pixels
    height, width, channels = pixels.shape
    parts = pixels.reshape(height // samples, samples, width // samples, samples, channels)
    return np.asarray(parts.mean((1, 3), dtype=np.float32).round()).astype(np.uint8)
