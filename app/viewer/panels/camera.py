"""The panel's section *Camera*: how it moves, where it looks from, the cameras of the bundle."""

from __future__ import annotations

import math
from dataclasses import replace

from imgui_bundle import imgui

from duplex.app.viewer.actions import (
    Action,
    CopyView,
    FrameScene,
    JumpToCamera,
    PasteView,
    ResetCamera,
    SavePicture,
    SetCameraMode,
    SetFieldOfView,
    SetLook,
    SetUp,
)
from duplex.app.viewer.camera.camera_controls import MODES, UPS, CameraControls
from duplex.app.viewer.look import Look
from duplex.app.viewer.panels import widgets

FOV_DEGREES = (5, 120)
BUTTONS: dict[str, Action] = {
    "frame (F)": FrameScene(),
    "reset (R)": ResetCamera(),
    "copy": CopyView(),
    "paste": PasteView(),
}


def draw_camera(controls: CameraControls, look: Look, cameras: int, has_limits: bool) -> list[Action]:
    """Declare the section; ``cameras``: how many the bundle has; ``has_limits``: whether the orbit can be limited."""
    actions: list[Action] = []
    for mode in MODES:
        if widgets.radio_button(mode, controls.mode == mode):
            actions.append(SetCameraMode(mode))
        imgui.same_line()
    imgui.new_line()
    for index, (label, action) in enumerate(BUTTONS.items()):
        if index:
            imgui.same_line()
        if widgets.button(label):
            actions.append(action)
    actions += _draw_lens_and_up(controls)
    if has_limits:
        changed, limited = widgets.checkbox("hold the orbit where cameras were", look.limited)
        if changed:
            actions.append(SetLook(replace(look, limited=limited)))
    if cameras:
        actions += _draw_cameras(look, cameras)
    if widgets.button("save a picture (F12)"):
        actions.append(SavePicture())
    eye = controls.shown.eye
    imgui.text_disabled(f"at {eye.x:.2f} {eye.y:.2f} {eye.z:.2f}")
    return actions


def _draw_lens_and_up(controls: CameraControls) -> list[Action]:
    actions: list[Action] = []
    narrowest, widest = FOV_DEGREES
    changed, degrees = widgets.slider_float("field of view", math.degrees(controls.fov), narrowest, widest, "%.0f deg")
    if changed:
        actions.append(SetFieldOfView(math.radians(min(max(degrees, narrowest), widest))))
    names = list(UPS)
    now = next((i for i, up in enumerate(UPS.values()) if abs(up - controls.up).max() < 1e-6), -1)
    changed, index = widgets.combo("up", now, names)
    if changed:
        actions.append(SetUp(UPS[names[index]]))
    return actions


def _draw_cameras(look: Look, cameras: int) -> list[Action]:
    actions: list[Action] = []
    chosen, index = widgets.combo("jump to", -1, [f"camera {i}" for i in range(cameras)], 12)
    if chosen:
        actions.append(JumpToCamera(index))
    changed, show_cameras = widgets.checkbox("show the bundle's cameras", look.show_cameras)
    if changed:
        actions.append(SetLook(replace(look, show_cameras=show_cameras)))
    return actions
