"""The panel's instruments: what of the scene is shown and how, two views side by side, a pixel, times, parity."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from imgui_bundle import imgui, implot

from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.app.render.backend_selection import parity
from duplex.app.render.backends.names import NAMES
from duplex.app.render.display import RAMPS, Display
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.probe import Hit, Probe, probe
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import ERROR, FINAL, REFERENCE, View, ViewKind
from duplex.app.scene.camera import Camera
from duplex.app.scene.reference import Reference
from duplex.app.viewer.notices import label_at
from duplex.app.viewer.open_scene import Scene

FRAMES = 240  # that the plot shows
ONLY = {"outer shell only": (True, False), "inner shell only": (False, True)}
BACKEND = "backend "
BEFORE_NETWORK = View(ViewKind.FEATURES)
GRIP = 12  # pixels that the line between two views is wide for the mouse


@dataclass
class Inspection:
    """What the instruments show.

    ``shown``: outer and inner shell's features; ``network``: without it the picture is what the network sees first;
    ``wires``: whether the shells' edges are drawn; ``channel``: 0 for colours, else one of four; ``compared``: what the
    right part of a split window shows, or None; ``split``: where it begins, in (0, 1); ``times``: milliseconds of the
    last frames.
    """

    shown: tuple[bool, bool] = (True, True)
    network: bool = True
    wires: tuple[bool, bool] = (False, False)
    channel: int = 0
    ramp: str = "heat"
    low: float = -1.0
    high: float = 1.0
    compared: str | None = None
    split: float = 0.5
    probing: bool = False
    probed: Probe | None = None
    pixel: tuple[int, int] = (0, 0)
    agreement: str = ""
    measured: tuple[Reference, str] | None = None
    times: deque[float] = field(default_factory=lambda: deque(maxlen=FRAMES))
    other: Renderer | None = None

    @property
    def display(self) -> Display:
        """How targets are shown."""
        return Display(self.channel - 1 if self.channel else None, self.ramp, self.low, self.high)

    def plain(self) -> bool:
        """Ask for nothing but the picture; returns whether there was more."""
        more = bool(self.compared) or any(self.wires) or not self.network
        self.compared, self.wires, self.network = None, (False, False), True
        return more

    def forget(self) -> None:
        """Forget what was found out about a scene, and what was made for it."""
        self.other, self.probed, self.measured, self.agreement = None, None, None, ""

    def entered(self, scene: Scene) -> None:
        """Forget what belongs to another scene, or to another renderer of this one."""
        self.forget()
        if self.compared not in self.choices(scene):
            self.compared = None

    def misses(self, scene: Scene, view: View, camera: Camera) -> bool:
        """Whether ``view``, or what is beside it, needs a picture that the bundle does not have from ``camera``."""
        needed = {str(view), self.compared} & {str(REFERENCE), str(ERROR)}
        return bool(needed) and scene.renderer.reference_at(camera) is None

    def go_to(self, scene: Scene, reference: Reference) -> None:
        """Go where ``reference`` is seen, and measure how near the bundle comes to it."""
        size = f"{reference.camera.width} x {reference.camera.height}"
        try:
            options = FrameOptions(background=(*scene.bundle.background, 1.0))
            drawn = scene.renderer.image(reference.camera, options)[..., :3] / np.float32(255)
            words = f"{size}, the bundle's PSNR {psnr(drawn, reference.over(scene.bundle.background)):.1f} dB"
        except DuplexError as error:
            words = str(error)
        self.measured = (reference, words)
        scene.controls.set(reference.camera, scene.center)

    @property
    def over_scene(self) -> bool:
        """Whether something of it is drawn over the scene, or follows the mouse there."""
        return self.compared is not None or self.probing

    def drawn(self, view: View) -> View:
        """What is drawn where ``view`` is asked for."""
        return view if self.network or view != FINAL else BEFORE_NETWORK

    def choices(self, scene: Scene) -> list[str]:
        """What a scene's picture can be compared with."""
        now = scene.renderer.backend.name
        return [*map(str, scene.renderer.views), *ONLY, *(BACKEND + name for name in NAMES if name != now)]

    def second(self, scene: Scene) -> tuple[Renderer, View, tuple[bool, bool]]:
        """What draws the right part of the window: renderer, view, and the shells that it shows.

        Raises :class:`DuplexError` where this machine has not the backend that is asked for.
        """
        name = self.compared or str(FINAL)
        if name in ONLY:
            return scene.renderer, FINAL, ONLY[name]
        if not name.startswith(BACKEND):
            return scene.renderer, View.parse(name), self.shown
        backend = name.removeprefix(BACKEND)
        if self.other is None or self.other.bundle is not scene.bundle or self.other.backend.name != backend:
            self.other = Renderer(scene.renderer.ctx, scene.bundle, backend)
        return self.other, FINAL, self.shown

    def look(self, scene: Scene, camera: Camera, place: tuple[float, float]) -> None:
        """Probe the pixel at ``place``, in [0, 1] from the top left, of the picture of ``camera``."""
        self.pixel = (int(place[0] * camera.width), int(place[1] * camera.height))
        self.probed = probe(scene.renderer, camera, self.pixel, self.shown)

    def compare_backends(self, scene: Scene, camera: Camera) -> None:
        """Measure how near the picture of ``camera`` is to the network in float32, and to ONNX Runtime's."""
        renderer = scene.renderer
        try:
            exact, _ = parity(renderer, camera, self.shown)
            self.agreement = f"{renderer.backend.name} against float32: {exact:.1f} dB"
            onnx = Renderer(renderer.ctx, scene.bundle, "onnx")
            options = FrameOptions(background=TRANSPARENT, shells=self.shown)
            first, second = (x.image(camera, options) / np.float32(255) for x in (renderer, onnx))
            self.agreement += f"\nagainst ONNX Runtime: {psnr(first, second):.1f} dB"
        except DuplexError as error:
            self.agreement += f"\n{error}"

    def draw_panel(self, scene: Scene, camera: Camera) -> None:
        """Declare the section; ``camera``: of the picture in the window."""
        outer, inner = self.shown
        _, outer = imgui.checkbox("outer", outer)
        imgui.same_line()
        _, inner = imgui.checkbox("inner", inner)
        self.shown = (outer, inner)
        imgui.same_line()
        _, self.network = imgui.checkbox("network", self.network)
        _, first = imgui.checkbox("outer edges", self.wires[0])
        imgui.same_line()
        _, second = imgui.checkbox("inner edges", self.wires[1])
        self.wires = (first, second)
        _, self.channel = imgui.combo("channel", self.channel, ["as colours", "1", "2", "3", "4"])
        if self.channel:
            names = list(RAMPS)
            _, index = imgui.combo("colours", names.index(self.ramp), names)
            self.ramp = names[index]
            _, (low, high) = imgui.drag_float2("range", [self.low, self.high], 0.01)
            self.low, self.high = low, max(high, low + 1e-3)
        choices = ["nothing", *self.choices(scene)]
        now = choices.index(self.compared) if self.compared in choices else 0
        chosen, index = imgui.combo("beside it", now, choices)
        if chosen:
            self.compared = choices[index] if index else None
        if scene.bundle.references:
            self._draw_references(scene, camera)
        _, self.probing = imgui.checkbox("look at the pixel under the mouse", self.probing)
        if self.probing and self.probed:
            self._draw_probe(self.probed)
        if imgui.button("compare backends"):
            self.compare_backends(scene, camera)
        if self.agreement:
            imgui.text_wrapped(self.agreement)

    def _draw_references(self, scene: Scene, camera: Camera) -> None:
        references, here = scene.bundle.references, scene.renderer.reference_at(camera)
        names = [f"{reference.kind} {i + 1}" for i, reference in enumerate(references)]
        index = references.index(here) if here else -1
        chosen, index = imgui.combo("go to picture", index, names)
        if chosen:
            self.go_to(scene, references[index])
        if self.measured and self.measured[0] is here:
            imgui.text_wrapped(self.measured[1])

    def _draw_probe(self, found: Probe) -> None:
        red, green, blue, alpha = found.color.tolist()
        imgui.text(f"pixel {self.pixel[0]}, {self.pixel[1]}: {red} {green} {blue}, alpha {alpha}")
        for name, hit in (("outer", found.outer), ("inner", found.inner)):
            imgui.text_wrapped(f"{name}: {describe(hit)}")

    def draw_times(self, gpu_bytes: int) -> None:
        """Declare a plot of :attr:`times`."""
        scale = imgui.get_style().font_scale_dpi
        flags = implot.Flags_.no_legend | implot.Flags_.no_mouse_text | implot.Flags_.no_inputs
        if implot.begin_plot("##times", imgui.ImVec2(-1, 64 * scale), flags):
            implot.setup_axes("", "ms", implot.AxisFlags_.no_tick_labels, implot.AxisFlags_.none)
            top = 1.2 * max(max(self.times), 1.0)
            implot.setup_axes_limits(0, FRAMES, 0, top, imgui.Cond_.always)
            implot.plot_line("frame", np.array(self.times, np.float64))
            implot.end_plot()
        imgui.text_disabled(f"{gpu_bytes / 1e6:.0f} MB of buffers and textures")

    def draw_split(self, left: float, width: float, height: float, label: str) -> None:
        """Declare the line between two views, and what they are; it can be dragged."""
        place = left + self.split * width
        scale = imgui.get_style().font_scale_dpi
        imgui.set_next_window_pos(imgui.ImVec2(place - GRIP * scale / 2, 0), imgui.Cond_.always)
        imgui.set_next_window_size(imgui.ImVec2(GRIP * scale, height), imgui.Cond_.always)
        imgui.push_style_var(imgui.StyleVar_.window_padding, imgui.ImVec2(0, 0))
        imgui.push_style_var(imgui.StyleVar_.window_min_size, imgui.ImVec2(1, 1))
        flags = imgui.WindowFlags_.no_decoration | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_background
        imgui.begin("##split", None, flags)
        imgui.invisible_button("grip", imgui.ImVec2(GRIP * scale, height))
        if imgui.is_item_active():
            self.split = min(max((imgui.get_io().mouse_pos.x - left) / max(width, 1), 0.02), 0.98)
        if imgui.is_item_hovered() or imgui.is_item_active():
            imgui.set_mouse_cursor(imgui.MouseCursor_.resize_ew)
        imgui.end()
        imgui.pop_style_var(2)
        target = imgui.get_background_draw_list()
        target.add_line(imgui.ImVec2(place, 0), imgui.ImVec2(place, height), 0xFF40C0FF, 2 * scale)
        begin = place - imgui.calc_text_size(label).x - 8 * scale
        for text, x in ((label, begin), (self.compared or "", place + 8 * scale)):
            label_at(text, x, 8 * scale)


def describe(hit: Hit | None) -> str:
    """A hit in words."""
    if hit is None:
        return "missed"
    features = " ".join(f"{x:.2f}" for x in hit.features)
    return f"at {hit.u:.4f} {hit.v:.4f}, level {hit.level:.1f}; features {features}"
