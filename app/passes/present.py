"""The last pass: shaded pixels over a background, or one of the targets made visible."""

from __future__ import annotations

from enum import IntEnum

import moderngl

from duplex.app.network import NetworkSpec
from duplex.shaders import source


class Mode(IntEnum):
    """What the pass shows: the picture, its alpha, or a target whose numbers are of one of five kinds."""

    FINAL = 0
    ALPHA = 1
    SIGNED = 2
    POSITIVE = 3
    DISTANCE = 4
    UV = 5
    MASK = 6


class PresentPass:
    """Draws in one :class:`Mode`; ``target_margin``: pixels that a shown target reaches beyond the picture."""

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, mode: Mode, target_margin: int = 0):
        self.ctx, self.mode = ctx, mode
        self.scale = scale = spec.channels_to_space
        text = source("present.frag", mode=int(mode), scale=scale, margin=spec.margin, target_margin=target_margin)
        select = [f"    if (column == {i}) value = texelFetch(u_shaded[{i}], block, 0);" for i in range(scale)]
        self.program = ctx.program(
            vertex_shader=source("fullscreen.vert"), fragment_shader=text.replace("SELECT", "\n".join(select))
        )
        self.triangle = ctx.vertex_array(self.program, [])
        self._set("u_depth", 0)
        self._set("u_target", 1)
        if mode <= Mode.ALPHA:
            units = list(range(1, scale + 1))
            self._set("u_shaded", units if scale > 1 else 1)

    def render(
        self,
        depth: moderngl.Texture,
        targets: list[moderngl.Texture],
        background: tuple[float, float, float, float],
        distances: tuple[float, float],
        *,
        out: moderngl.Framebuffer,
    ) -> None:
        """Fill ``out``.

        ``depth``: of the first layer, the coverage; ``targets``: the last layer's textures, or the one to show;
        ``background``: straight RGBA; ``distances``: those that are drawn white and black.
        """
        out.use()
        self.ctx.enable_only(moderngl.NOTHING)
        depth.use(0)
        self._set("u_background", background)
        self._set("u_distances", distances)
        for row in range(self.scale if self.mode <= Mode.ALPHA else 1):
            self._set("u_row", row)
            for i, texture in enumerate(targets[row * self.scale : (row + 1) * self.scale], 1):
                texture.use(i)
            self.triangle.render(moderngl.TRIANGLES, vertices=3)

    def _set(self, name: str, value: object) -> None:
        if name in self.program:  # the driver drops what a mode does not use
            self.program[name] = value


class ScreenPass:
    """Stretches a picture over the window."""

    def __init__(self, ctx: moderngl.Context):
        self.ctx = ctx
        self.program = ctx.program(vertex_shader=source("fullscreen.vert"), fragment_shader=source("screen.frag"))
        self.triangle = ctx.vertex_array(self.program, [])
        self.program["u_picture"] = 0

    def render(self, picture: moderngl.Texture, size: tuple[int, int], *, out: moderngl.Framebuffer) -> None:
        """Fill ``out``, ``size`` pixels large, with ``picture``, filtered as the texture says."""
        out.use()
        self.ctx.enable_only(moderngl.NOTHING)
        picture.use(0)
        self.program["u_size"] = tuple(float(x) for x in size)
        self.triangle.render(moderngl.TRIANGLES, vertices=3)
