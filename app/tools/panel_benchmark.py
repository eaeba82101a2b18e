"""What the panel costs beside the scene: part of ``duplex-viewer scene.bundle --bench``."""

from __future__ import annotations

import time

import numpy as np

from duplex.app.render.gpu import describe, is_software
from duplex.app.render.renderer import Renderer
from duplex.app.scene.orbits import scene_orbit, scene_pivot
from duplex.app.viewer.camera_controls import CameraControls
from duplex.app.viewer.imgui_platform import Ui
from duplex.app.viewer.overlay import Overlay
from duplex.app.viewer.panel_cache import STALE_SECONDS, KeptPanel
from duplex.app.viewer.panels.inspect import Inspection
from duplex.app.viewer.panels.panel import WIDTH, FrameFacts, PanelState, draw_panel

WINDOW = (1280, 800)
WARM_UP, FRAMES, TURNS = 8, 120, 3


def panel_cost(renderer: Renderer, passes: dict[str, float], scene_milliseconds: float) -> dict[str, float]:
    """Milliseconds of the panel in a window of 1280 x 800 beside a scene that takes ``scene_milliseconds`` a frame.

    ``passes``: what it lists. Returns ``mean_ms`` a frame, ``drawn_ms`` of the frames in which it is drawn anew, and
    ``share``, the mean's of the scene's.
    """
    ctx, bundle, ui = renderer.ctx, renderer.bundle, Ui()
    out = ctx.framebuffer([ctx.texture(WINDOW, 4)])
    state, inspection, kept = PanelState(), Inspection(), KeptPanel(ctx, is_software(ctx))
    center, radius = scene_pivot(bundle)
    camera = scene_orbit(bundle).camera(0, *WINDOW)
    controls = CameraControls.around(camera, center, radius, np.array(bundle.up))
    facts = FrameFacts(
        passes,
        True,
        scene_milliseconds,
        (WINDOW[0] - WIDTH, WINDOW[1]),
        describe(ctx),
        "scene.bundle",
        0,
        renderer.backend.name,
        lambda: inspection.draw_times(renderer.gpu_bytes),
    )

    closed = dict.fromkeys(("File", "Inspect", "Path"), lambda: None)

    def frame(now: float) -> tuple[float, bool]:
        inspection.times.append(scene_milliseconds)
        out.use()
        ctx.finish()
        started = time.perf_counter()
        seen = Overlay(controls.camera(WINDOW[0] - WIDTH, WINDOW[1]), WIDTH).sees(*bundle.bounds)  # as the window does
        put_back = seen and kept.put_back((WIDTH, WINDOW[1]), now, out)
        if not put_back:
            ui.begin(WINDOW, WINDOW, 1.0)
            draw_panel(state, bundle, renderer.views, controls, facts, closed)
            ui.end()
            kept.keep((WIDTH, WINDOW[1]), now, out)
        ctx.finish()
        return 1000 * (time.perf_counter() - started), put_back

    try:
        step, count = scene_milliseconds / 1000, max(FRAMES, int(TURNS * STALE_SECONDS * 1000 / scene_milliseconds))
        for i in range(WARM_UP):
            frame(i * step)
        times = [frame((WARM_UP + i) * step) for i in range(count)]
    finally:
        ui.close()
    mean = float(np.mean([milliseconds for milliseconds, _ in times]))
    drawn = float(np.median([milliseconds for milliseconds, put_back in times if not put_back]))
    return {"mean_ms": mean, "drawn_ms": drawn, "share": mean / scene_milliseconds}
