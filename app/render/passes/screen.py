"""The screen pass: copies the rendered image into the window over a backdrop."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl

from duplex.app.render.frame import Rgba
from duplex.shaders import source

PATTERNS = ("plain", "checker", "gradient")


@dataclass(frozen=True)
class Backdrop:
    """Background and exposure in the window.

    ``color``: RGB in [0, 1]; ``pattern``: one of :data:`PATTERNS`; ``exposure``: brightness change of the scene in
    stops.
    """

    color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pattern: str = "plain"
    exposure: float = 0.0

    @property
    def drawn(self) -> Rgba:
        """Straight RGBA that the renderer uses as background: the plain colour, or transparent if this pass adds it."""
        return (0.0, 0.0, 0.0, 0.0) if self.number else (*self.color, 1.0)

    @property
    def number(self) -> int:
        """Shader variant: 0 to copy the image only, else 1 + the index of the pattern."""
        return 0 if self.pattern == "plain" and not self.exposure else 1 + PATTERNS.index(self.pattern)


class ScreenPass:
    """Scales an image to a part of the window."""

    def __init__(self, ctx: moderngl.Context):
        self.ctx = ctx
        self._triangles: dict[int, moderngl.VertexArray] = {}
        self._triangle(0)

    def render(
        self,
        picture: moderngl.Texture,
        backdrop: Backdrop,
        box: tuple[int, int, int, int],
        part: tuple[int, int, int, int],
        *,
        out: moderngl.Framebuffer,
    ) -> None:
        """Scale ``picture`` to ``box`` and draw it where ``part`` is, with the texture's own filter.

        ``picture``: premultiplied alpha, drawn over ``backdrop.drawn``; ``box``, ``part``: left, bottom, width, height
        in pixels of ``out``.
        """
        out.use()
        out.viewport = part
        out.scissor = None  # type: ignore[assignment]
        self.ctx.enable_only(moderngl.NOTHING)
        picture.use(0)
        triangle = self._triangle(backdrop.number)
        for name, value in (
            ("u_box", tuple(float(x) for x in box)),
            ("u_background", backdrop.color),
            ("u_square", max(box[3] / 40, 4.0)),
            ("u_exposure", 2.0**backdrop.exposure),
        ):
            if name in triangle.program:  # the GLSL compiler removes uniforms that a pattern does not use
                triangle.program[name] = value
        triangle.render(moderngl.TRIANGLES, vertices=3)

    def _triangle(self, pattern: int) -> moderngl.VertexArray:
        if pattern not in self._triangles:
            text = source("screen/screen.frag", pattern=pattern)
            program = self.ctx.program(vertex_shader=source("screen/fullscreen.vert"), fragment_shader=text)
            self._triangles[pattern] = self.ctx.vertex_array(program, [])
        return self._triangles[pattern]
