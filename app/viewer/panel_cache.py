"""The panel's pixels, put back as they are while nothing happens.

Where the CPU draws, text takes as long as a good part of the scene, and the panel of a window that nobody touches says
the same in every frame.
"""

from __future__ import annotations

import moderngl

from duplex.app.render.gpu import color_target

STALE_SECONDS = 1.0
SETTLING = 4  # frames in which Dear ImGui may still react to what has come in


class KeptPanel:
    """Keeps the left part of a framebuffer from frame to frame; unless ``enabled`` it never does."""

    def __init__(self, ctx: moderngl.Context, enabled: bool):
        self.ctx, self.enabled = ctx, enabled
        self.kept: moderngl.Framebuffer | None = None
        self.settling, self.until = SETTLING, 0.0

    def touch(self) -> None:
        """Something has come in that the panel may show."""
        self.settling = SETTLING

    def put_back(self, size: tuple[int, int], now: float, out: moderngl.Framebuffer) -> bool:
        """Draw the panel of ``size`` into the lower left of ``out``, if what is kept is still good ``now``, seconds."""
        if self.kept is None or self.kept.size != size or self.settling or now > self.until:
            return False
        self.ctx.copy_framebuffer(out, self.kept)
        return True

    def keep(self, size: tuple[int, int], now: float, out: moderngl.Framebuffer) -> None:
        """Keep what has just been drawn into the lower left of ``out``."""
        self.settling = max(self.settling - 1, 0)
        if not self.enabled or self.settling or min(size) < 1:
            return
        if self.kept is None or self.kept.size != size:
            self.kept = self.ctx.framebuffer([color_target(self.ctx, size, "f1")])
        self.ctx.copy_framebuffer(self.kept, out)
        self.until = now + STALE_SECONDS
