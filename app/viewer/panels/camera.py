"""The panel's section *Camera*: how it moves, where it looks from, the cameras of the bundle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from imgui_bundle import imgui

from duplex.app.core.errors import printable
from duplex.app.viewer.actions import (
    Action,
    AddBookmark,
    CopyView,
    FrameScene,
    GoToBookmark,
    JumpToCamera,
    PasteView,
    RemoveBookmark,
    ResetCamera,
    SetCameraMode,
    SetFieldOfView,
    SetFlySpeed,
    SetLook,
    SetUp,
)
from duplex.app.viewer.camera.camera_controls import FASTEST, MODES, SLOWEST, UPS, CameraControls
from duplex.app.viewer.look import Look
from duplex.app.viewer.panels import widgets

FOV_DEGREES = (5, 120)
BUTTONS: dict[str, Action] = {
    "frame (F)": FrameScene(),
    "reset (R)": ResetCamera(),
    "copy": CopyView(),
    "paste": PasteView(),
}


@dataclass(frozen=True, eq=False)
class CameraFacts:
    """What the section shows.

    ``cameras``: how many the bundle has; ``has_limits``: whether the orbit can be limited; ``bookmarks``: their names.
    """

    controls: CameraControls
    look: Look
    cameras: int
    has_limits: bool
    bookmarks: Sequence[str]


class CameraSection:
    """The section, with the name of a bookmark that is being typed."""

    def __init__(self) -> None:
        self.name = ""

    def draw(self, facts: CameraFacts) -> list[Action]:
        """Declare the section."""
        return _draw_camera(facts) + self._draw_bookmarks(facts.bookmarks)

    def _draw_bookmarks(self, names: Sequence[str]) -> list[Action]:
        actions: list[Action] = []
        chosen, index = widgets.combo("bookmarks", -1, [f"{i}  {printable(name)}" for i, name in enumerate(names)])
        if chosen:
            actions.append(GoToBookmark(index))
        entered, self.name = widgets.input_file("name", self.name, imgui.InputTextFlags_.enter_returns_true)
        if widgets.button("keep this view") or entered:
            actions.append(AddBookmark(self.name.strip() or f"view {len(names)}"))
            self.name = ""
        imgui.same_line()
        imgui.begin_disabled(not names)
        if widgets.button("forget the last"):
            actions.append(RemoveBookmark(len(names) - 1))
        imgui.end_disabled()
        return actions


def _draw_camera(facts: CameraFacts) -> list[Action]:
    controls, look, cameras, has_limits = facts.controls, facts.look, facts.cameras, facts.has_limits
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
    eye = controls.shown.eye
    imgui.text_disabled(f"at {eye.x:.2f} {eye.y:.2f} {eye.z:.2f}")
    return actions


def _draw_lens_and_up(controls: CameraControls) -> list[Action]:
    actions: list[Action] = []
    narrowest, widest = FOV_DEGREES
    changed, degrees = widgets.slider_float("field of view", math.degrees(controls.fov), narrowest, widest, "%.0f deg")
    if changed:
        actions.append(SetFieldOfView(math.radians(min(max(degrees, narrowest), widest))))
    log = imgui.SliderFlags_.logarithmic
    changed, times = widgets.slider_float("fly speed", controls.speed, SLOWEST, FASTEST, "%.2f", log)
    if changed:
        actions.append(SetFlySpeed(times))
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
