"""The last pass: the shaded image over a background, or an intermediate target as colours."""

from __future__ import annotations

from enum import IntEnum

import moderngl

from duplex.app.render.display import RAMPS, Display
from duplex.app.render.frame import Frame, Rgba
from duplex.app.render.passes.gbuffer import OPACITY_STEPS
from duplex.app.render.passes.tiles import TileProgram
from duplex.app.scene.network import NetworkSpec
from duplex.shaders import source


class Mode(IntEnum):
    """What the pass shows: the image, its alpha, or an intermediate target, by the range of its values.

    ``shaders/screen/present.frag.glsl`` has the same numbers.
    """

    FINAL = 0
    ALPHA = 1
    SIGNED = 2
    POSITIVE = 3
    DISTANCE = 4
    UV = 5
    MASK = 6


class PicturePass:
    """Draws the shaded image over a background (``Mode.FINAL``), or its alpha (``Mode.ALPHA``)."""

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, mode: Mode):
        self.ctx = ctx
        self.mode = mode
        self.scale = spec.channels_to_space
        self.margin = spec.margin
        text = source(
            "screen/present.frag",
            mode=int(mode),
            scale=self.scale,
            margin=self.margin,
            opacity_steps=float(OPACITY_STEPS),
        )
        select = [f"    if (column == {i}) value = texelFetch(u_shaded[{i}], block, 0);" for i in range(self.scale)]
        self.tiles = TileProgram(ctx, text.replace("SELECT", "\n".join(select)))
        self.program = self.tiles.program
        self.program["u_hits"] = 0
        self.program["u_shaded"] = list(range(1, self.scale + 1)) if self.scale > 1 else 1
        self.program["u_inner_hits"] = self.scale + 1

    def render(
        self,
        frame: Frame,
        shaded: list[moderngl.Texture],
        background: Rgba,
        showing: bool,
        *,
        out: moderngl.Framebuffer,
    ) -> None:
        """Fill ``out`` with the image, premultiplied alpha.

        ``shaded``: output textures of the network; ``background``: straight RGBA; ``showing``: whether hits that the
        cameras of the bake have not seen are as opaque as others.
        """
        outer, inner = frame.hits
        red, green, blue, alpha = background if self.mode is Mode.FINAL else (0.0, 0.0, 0.0, 1.0)
        out.use()
        out.clear(red * alpha, green * alpha, blue * alpha, alpha)
        self.ctx.enable_only(moderngl.BLEND)
        self.ctx.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        # tiles cover the G-buffer, which starts one margin to the left of and below the image
        begin = -self.margin * self.scale
        out.viewport = (begin, begin, outer.width * self.scale, outer.height * self.scale)
        outer.use(0)
        inner.use(self.scale + 1)
        self.program["u_showing"] = showing
        for row in range(self.scale):
            self._set("u_row", row)
            for i, texture in enumerate(shaded[row * self.scale : (row + 1) * self.scale], 1):
                texture.use(i)
            self.tiles.render(frame.tiles, (outer.width, outer.height))

    def _set(self, name: str, value: object) -> None:
        if name in self.program:  # the GLSL compiler removes uniforms that a mode does not use
            self.program[name] = value


class TargetPass:
    """Shows an intermediate target as colours, in any other :class:`Mode`."""

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, mode: Mode):
        self.ctx = ctx
        text = source("screen/present.frag", mode=int(mode), scale=spec.channels_to_space, margin=spec.margin)
        self.program = ctx.program(vertex_shader=source("screen/fullscreen.vert"), fragment_shader=text)
        self.triangle = ctx.vertex_array(self.program, [])
        self._set("u_hits", 0)
        self._set("u_target", 1)

    def render(
        self,
        hits: moderngl.Texture,
        target: moderngl.Texture,
        distances: tuple[float, float],
        display: Display,
        *,
        out: moderngl.Framebuffer,
    ) -> None:
        """Fill ``out``.

        ``hits``: of the shell, for its coverage; ``distances``: near and far distance in world units, drawn white and
        black unless ``display`` selects a channel.
        """
        out.use()
        out.viewport = (0, 0, *out.size)
        self.ctx.enable_only(moderngl.NOTHING)
        hits.use(0)
        target.use(1)
        self._set("u_distances", distances)
        self._set("u_channel", -1 if display.channel is None else display.channel)
        self._set("u_range", (display.low, display.high))
        self._set("u_ramp", RAMPS[display.ramp])
        self.triangle.render(moderngl.TRIANGLES, vertices=3)

    def _set(self, name: str, value: object) -> None:
        if name in self.program:
            self.program[name] = value
