"""Cost of the window's panel relative to the scene: part of ``duplex-viewer scene.bundle --bench``."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duplex.app.render.gpu import describe, is_software
from duplex.app.render.renderer import Renderer
from duplex.app.scene.orbits import scene_orbit, scene_pivot
from duplex.app.viewer.camera.camera_controls import CameraControls
from duplex.app.viewer.camera.keyframe_editor import KeyframeEditor, PathOutput
from duplex.app.viewer.gui.imgui_platform import Ui
from duplex.app.viewer.gui.layout import Layout
from duplex.app.viewer.gui.overlay import Overlay
from duplex.app.viewer.gui.panel_cache import STALE_SECONDS, PanelCache
from duplex.app.viewer.look import Inspection, Look, PictureSettings
from duplex.app.viewer.measurements import Measurements
from duplex.app.viewer.painting.split_view import second_views
from duplex.app.viewer.panels.bundle import BundleFacts
from duplex.app.viewer.panels.camera import CameraFacts
from duplex.app.viewer.panels.file import FileFacts
from duplex.app.viewer.panels.inspect import InspectFacts
from duplex.app.viewer.panels.panel import WIDTH, PanelFacts, Sections, draw_panel
from duplex.app.viewer.panels.speed import PLOTTED_FRAMES, SpeedFacts
from duplex.app.viewer.panels.view import UnseenFacts

LAYOUT = Layout((1280, 800), (1280, 800), left=WIDTH)
WARM_UP = 8  # frames that are not measured
MIN_FRAMES = 120
MIN_REDRAWS = 3  # of the cached panel, which is redrawn when it is stale


@dataclass(frozen=True)
class PanelFrame:
    """Time of the panel in one frame; ``restored``: whether its pixels came from the panel cache."""

    milliseconds: float
    restored: bool


def panel_cost(renderer: Renderer, passes: dict[str, float], scene_milliseconds: float) -> dict[str, float]:
    """Measure the panel in a window of 1280 x 800, beside a scene that takes ``scene_milliseconds`` per frame.

    ``passes``: pass times in milliseconds that the panel lists. Returns ``mean_ms``, milliseconds per frame;
    ``drawn_ms``, of frames in which the panel is redrawn; ``share``, ``mean_ms`` relative to the scene.
    """
    panel = _BenchedPanel(renderer, passes, scene_milliseconds)
    step = scene_milliseconds / 1000
    count = max(MIN_FRAMES, int(MIN_REDRAWS * STALE_SECONDS / step))
    try:
        for i in range(WARM_UP):
            panel.frame(i * step)
        frames = [panel.frame((WARM_UP + i) * step) for i in range(count)]
    finally:
        panel.ui.close()
    mean = float(np.mean([frame.milliseconds for frame in frames]))
    drawn = float(np.median([frame.milliseconds for frame in frames if not frame.restored]))
    return {"mean_ms": mean, "drawn_ms": drawn, "share": mean / scene_milliseconds}


class _BenchedPanel:
    """The window's panel over an empty framebuffer."""

    def __init__(self, renderer: Renderer, passes: dict[str, float], scene_milliseconds: float):
        self.renderer = renderer
        self.passes = passes
        self.scene_milliseconds = scene_milliseconds
        self.ui = Ui()
        self.sections = Sections()
        self.cache = PanelCache(renderer.ctx, is_software(renderer.ctx))
        self.out = renderer.ctx.framebuffer([renderer.ctx.texture(LAYOUT.pixels, 4)])
        self.times: deque[float] = deque(maxlen=PLOTTED_FRAMES)
        bundle = renderer.bundle
        pivot = scene_pivot(bundle)
        camera = scene_orbit(bundle).camera(0, *LAYOUT.size)
        self.controls = CameraControls.around(camera, pivot.point, pivot.length, np.array(bundle.up))
        self.editor = KeyframeEditor(bundle, PathOutput.beside(Path.home(), "scene"))

    def frame(self, now: float) -> PanelFrame:
        """Draw the panel or restore it from the cache, as the window does; ``now`` in seconds."""
        ctx = self.renderer.ctx
        self.times.append(self.scene_milliseconds)
        self.out.use()
        ctx.finish()
        started = time.perf_counter()
        overlay = Overlay(self.controls.camera(*LAYOUT.scene_size), LAYOUT.left)
        in_view = overlay.sees(*self.renderer.bundle.bounds)
        restored = in_view and self.cache.restore(LAYOUT.panel_size, now, self.out)
        if not restored:
            self.ui.begin(LAYOUT)
            draw_panel(self._facts(), self.sections, WIDTH)
            self.ui.end()
            self.cache.store(LAYOUT.panel_size, now, self.out)
        ctx.finish()
        return PanelFrame(1000 * (time.perf_counter() - started), restored)

    def _facts(self) -> PanelFacts:
        renderer = self.renderer
        bundle = renderer.bundle
        speed = SpeedFacts(
            passes=self.passes,
            has_timers=True,
            frame_milliseconds=self.scene_milliseconds,
            times=self.times,
            picture=LAYOUT.scene_size,
            backend=renderer.backend.name,
            driver=describe(renderer.ctx),
            gpu_bytes=renderer.gpu_bytes,
        )
        return PanelFacts(
            look=Look(),
            views=renderer.views,
            unseen=UnseenFacts(exists=True, in_picture=True),
            camera=CameraFacts(self.controls, Look(), len(bundle.cameras), True, ()),
            around=((0, 0, 0), (1, 1, 1)),
            pictures=PictureSettings(),
            editor=self.editor,
            files=FileFacts(()),
            inspect=InspectFacts(Inspection(), second_views(renderer), bundle.references, None, Measurements()),
            speed=speed,
            bundle=BundleFacts(bundle, "scene.bundle", 0, {}),
        )
