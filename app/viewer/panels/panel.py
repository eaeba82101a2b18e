"""The inspection panel: what the bundle is, how fast it draws, what is shown, where the camera is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from imgui_bundle import imgui

from duplex.app.core.errors import printable
from duplex.app.render.passes.screen import PATTERNS, Backdrop
from duplex.app.render.views import FINAL, View
from duplex.app.scene.bundle import Bundle
from duplex.app.viewer.camera_controls import MODES, UPS, CameraControls

WIDTH = 300
NARROWEST = 200  # of the scene beside the panel: in a window without that room the panel lies over it


class Wanted(Enum):
    """What a button or a key may ask for."""

    FRAME = "frame"
    RESET = "reset"
    COPY = "copy"
    PASTE = "paste"
    PICTURE = "picture"


@dataclass
class PanelState:
    """What the panel decides.

    ``view``: by name; ``background``: RGB in [0, 1], in a ``pattern``; ``exposure``: stops; ``scale``: resolution, in
    (0, 1]; ``smooth``: whether it may fall while the camera moves, so that ``frame_rate`` frames are drawn a second;
    ``frusta``: whether the bundle's cameras are drawn; ``wanted``: what a button asks the window to do.
    """

    view: View = FINAL
    background: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0])
    pattern: str = PATTERNS[0]
    exposure: float = 0.0
    scale: float = 1.0
    smooth: bool = True
    frame_rate: int = 30
    visible: bool = True
    help_visible: bool = False
    frusta: bool = False
    view_changed: bool = False
    wanted: Wanted | None = None
    camera_requested: int | None = None

    @property
    def backdrop(self) -> Backdrop:
        """What is behind the scene."""
        red, green, blue = self.background
        return Backdrop((red, green, blue), self.pattern, self.exposure)

    def plain(self) -> bool:
        """Show the picture on a plain background; returns whether anything else was shown."""
        more = self.view != FINAL or self.backdrop.number > 0
        self.view, self.pattern, self.exposure, self.view_changed = FINAL, PATTERNS[0], 0.0, True
        return more


@dataclass(frozen=True)
class FrameFacts:
    """What the panel reports: ``milliseconds`` of each pass by name, of the frame, picture size, the driver.

    ``timers_count``: False where the driver has no GPU timers; ``draw_times``: declares a plot of them.
    """

    milliseconds: dict[str, float]
    timers_count: bool
    frame_milliseconds: float
    picture: tuple[int, int]
    driver: str
    bundle_name: str
    bundle_bytes: int
    backend: str
    draw_times: Callable[[], None]


def room_for_panel(state: PanelState, width: float, scale: float) -> float:
    """What of a window's ``width`` the panel takes at its left; ``scale``: of texts."""
    return WIDTH * scale if state.visible and width - WIDTH * scale >= NARROWEST * scale else 0.0


def draw_panel(
    state: PanelState,
    bundle: Bundle,
    views: list[View],
    controls: CameraControls,
    facts: FrameFacts,
    more: dict[str, Callable[[], None]],
) -> None:
    """Declare the panel for this frame; widgets write into ``state`` and ``controls``.

    ``more``: sections that somebody else declares, by title.
    """
    if not state.visible:
        return
    size = imgui.get_io().display_size
    scale = imgui.get_style().font_scale_dpi
    imgui.set_next_window_pos(imgui.ImVec2(0, 0), imgui.Cond_.always)
    imgui.set_next_window_size(imgui.ImVec2(min(WIDTH * scale, size.x), size.y), imgui.Cond_.always)
    imgui.push_style_var(imgui.StyleVar_.window_rounding, 0)
    imgui.begin(
        "duplex",
        None,
        imgui.WindowFlags_.no_title_bar | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_resize,
    )
    imgui.pop_style_var()
    imgui.push_item_width(-105 * scale)
    is_open, closed = imgui.TreeNodeFlags_.default_open, imgui.TreeNodeFlags_.none
    for title, section, flags in (
        ("View", lambda: _view(state, views), is_open),
        ("Camera", lambda: _camera(state, bundle, controls), is_open),
        *((title, section, closed) for title, section in more.items()),
        ("Speed", lambda: _speed(facts), is_open),
        ("Bundle", lambda: _bundle(bundle, facts), closed),
    ):
        if imgui.collapsing_header(title, flags):
            imgui.push_id(title)
            section()  # type: ignore[no-untyped-call]
            imgui.pop_id()
    imgui.separator()
    if imgui.button("keys and mouse (?)"):
        state.help_visible = True
    imgui.pop_item_width()
    imgui.end()


def _view(state: PanelState, views: list[View]) -> None:
    index = views.index(state.view) if state.view in views else 0
    changed, index = imgui.combo("show", index, [str(view) for view in views], 24)
    if changed:
        state.view = views[index]
        state.view_changed = True
    _, state.background = imgui.color_edit3("background", state.background)
    _, index = imgui.combo("pattern", PATTERNS.index(state.pattern), list(PATTERNS))
    state.pattern = PATTERNS[index]
    _, exposure = imgui.slider_float("exposure", state.exposure, -3, 3, "%+.1f stops")
    state.exposure = min(max(exposure, -3.0), 3.0)
    _, percent = imgui.slider_int("resolution", round(100 * state.scale), 10, 100, "%d%%")
    state.scale = min(max(percent, 10), 100) / 100
    _, state.smooth = imgui.checkbox("coarser while moving, for", state.smooth)
    imgui.same_line()
    imgui.set_next_item_width(-1)
    _, rate = imgui.slider_int("##rate", state.frame_rate, 10, 120, "%d/s")
    state.frame_rate = min(max(rate, 10), 120)


def _camera(state: PanelState, bundle: Bundle, controls: CameraControls) -> None:
    for mode in MODES:
        if imgui.radio_button(mode, controls.mode == mode):
            controls.mode = mode
        imgui.same_line()
    imgui.new_line()
    for i, (label, wanted) in enumerate(
        (("frame (F)", Wanted.FRAME), ("reset (R)", Wanted.RESET), ("copy", Wanted.COPY), ("paste", Wanted.PASTE))
    ):
        if i:
            imgui.same_line()
        if imgui.button(label):
            state.wanted = wanted
    changed, degrees = imgui.slider_float("field of view", math.degrees(controls.fov), 5, 120, "%.0f deg")
    if changed:
        controls.fov = math.radians(min(max(degrees, 5), 120))
    names = list(UPS)
    now = next((i for i, up in enumerate(UPS.values()) if abs(up - controls.up).max() < 1e-6), -1)
    changed, index = imgui.combo("up", now, names)
    if changed:
        controls.set_up(UPS[names[index]])
    if bundle.cameras:
        names = [f"camera {i}" for i in range(len(bundle.cameras))]
        changed, index = imgui.combo("jump to", -1, names, 12)
        if changed:
            state.camera_requested = index
        _, state.frusta = imgui.checkbox("show the bundle's cameras", state.frusta)
    if imgui.button("save a picture (F12)"):
        state.wanted = Wanted.PICTURE
    eye = controls.shown.eye
    imgui.text_disabled(f"at {eye.x:.2f} {eye.y:.2f} {eye.z:.2f}")


def _speed(facts: FrameFacts) -> None:
    imgui.text(f"{1000 / max(facts.frame_milliseconds, 1e-3):.1f} frames/s   {facts.frame_milliseconds:.1f} ms")
    facts.draw_times()
    if not facts.timers_count:
        imgui.text_wrapped("This driver has no GPU timers: only the time of whole frames is known.")
    elif imgui.begin_table("passes", 2):
        for name, milliseconds in facts.milliseconds.items():
            imgui.table_next_column()
            imgui.text(name)
            imgui.table_next_column()
            imgui.text(f"{milliseconds:.2f} ms")
        imgui.end_table()
    imgui.text_disabled(f"drawn at {facts.picture[0]} x {facts.picture[1]}, backend {facts.backend}")
    imgui.push_text_wrap_pos(0)
    imgui.text_disabled(facts.driver)
    imgui.pop_text_wrap_pos()


def _bundle(bundle: Bundle, facts: FrameFacts) -> None:
    width, height = bundle.outer.texels.shape[2], bundle.outer.texels.shape[1]
    bracketing = bundle.report.get("bracketing")
    lines = {
        "file": facts.bundle_name,
        "size": f"{facts.bundle_bytes / 1e6:.2f} MB",
        "faces": f"{len(bundle.outer.faces)} + {len(bundle.inner.faces)}",
        "features": f"{bundle.network.feature_channels} at {width} x {height}",
        "network": f"{bundle.network.macs_per_pixel:.0f} multiply-adds a pixel",
        "teacher": str(bundle.teacher.get("family", "unknown")),
        "bracketing": f"{100 * bracketing:.1f}%" if bracketing is not None else "unknown",
    }
    if imgui.begin_table("bundle", 2, imgui.TableFlags_.sizing_fixed_fit):
        for name, value in lines.items():
            imgui.table_next_column()
            imgui.text_disabled(name)
            imgui.table_next_column()
            imgui.text(printable(value))
        imgui.end_table()
