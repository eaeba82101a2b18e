"""The panel's pixels, kept from frame to frame while nothing happens.

Where the CPU draws, the panel's text takes as long as a good part of the scene. The panel of a window that nobody
touches is therefore redrawn once a second only.
"""

from __future__ import annotations

import moderngl

from duplex.app.viewer.gui.kept_pixels import KeptPixels

STALE_SECONDS = 1.0
SETTLING = 4  # frames after an event in which Dear ImGui may still change the panel


class PanelCache:
    """Keeps the left part of a framebuffer; unless ``enabled`` it never does."""

    def __init__(self, ctx: moderngl.Context, enabled: bool):
        self.enabled = enabled
        self._pixels = KeptPixels(ctx)
        self._settling = SETTLING
        self._valid_until = 0.0

    def invalidate(self) -> None:
        """Redraw the panel in the next frames: it may have changed."""
        self._settling = SETTLING

    def restore(self, size: tuple[int, int], now: float, out: moderngl.Framebuffer) -> bool:
        """Copy the panel of ``size`` into the lower left of ``out``; returns False where it must be redrawn.

        ``now``: seconds of a monotonic clock.
        """
        if self._settling or now > self._valid_until:
            return False
        return self._pixels.restore(None, size, out)

    def store(self, size: tuple[int, int], now: float, out: moderngl.Framebuffer) -> None:
        """Keep the panel that has just been drawn into the lower left of ``out``."""
        self._settling = max(self._settling - 1, 0)
        if not self.enabled or self._settling or min(size) < 1:
            return
        self._pixels.store(None, size, out)
        self._valid_until = now + STALE_SECONDS
