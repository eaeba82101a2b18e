"""Pixels of the window that are shown again while they would be drawn the same."""

from __future__ import annotations

import moderngl

from duplex.app.render.gpu import color_target


class KeptPixels:
    """The lower left part of a framebuffer, kept for what it shows: its ``key``."""

    def __init__(self, ctx: moderngl.Context):
        self.ctx = ctx
        self.key: object = None
        self._pixels: moderngl.Framebuffer | None = None

    def restore(self, key: object, size: tuple[int, int], out: moderngl.Framebuffer) -> bool:
        """Copy what was kept for ``key`` into ``out``; returns False where there is nothing of this ``size``."""
        if self._pixels is None or self.key != key or self._pixels.size != size:
            return False
        self.ctx.copy_framebuffer(out, self._pixels)
        return True

    def store(self, key: object, size: tuple[int, int], out: moderngl.Framebuffer) -> None:
        """Keep the lower left part of ``out``."""
        if self._pixels is None or self._pixels.size != size:
            self._pixels = self.ctx.framebuffer([color_target(self.ctx, size, "f1")])
        self.ctx.copy_framebuffer(self._pixels, out)
        self.key = key
