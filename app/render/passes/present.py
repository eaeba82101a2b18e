"""The last pass: shaded pixels over a background, or one of the targets made visible."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import moderngl

from duplex.app.render.passes.tiles import TileProgram
from duplex.app.scene.network import NetworkSpec
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


RAMPS = {  # five colours from the lowest number to the highest
    "grey": ((0, 0, 0), (0.25, 0.25, 0.25), (0.5, 0.5, 0.5), (0.75, 0.75, 0.75), (1, 1, 1)),
    "heat": ((0, 0, 0.05), (0.45, 0.05, 0.35), (0.9, 0.25, 0.15), (1, 0.7, 0.1), (1, 1, 0.85)),
    "signed": ((0.1, 0.25, 0.75), (0.55, 0.7, 0.95), (0.95, 0.95, 0.95), (0.95, 0.6, 0.5), (0.7, 0.1, 0.1)),
}


@dataclass(frozen=True)
class Display:
    """How a target is shown: its first three channels as colours, or ``channel`` (0 to 3) along a ramp of colours.

    ``ramp``: of :data:`RAMPS`; ``low``, ``high``: the numbers at its ends.
    """

    channel: int | None = None
    ramp: str = "heat"
    low: float = -1.0
    high: float = 1.0


class PicturePass:
    """Draws the shaded pixels, or their alpha, over a background; ``mode``: ``FINAL`` or ``ALPHA``."""

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, mode: Mode):
        self.ctx, self.mode = ctx, mode
        self.scale, self.margin = spec.channels_to_space, spec.margin
        text = source("screen/present.frag", mode=int(mode), scale=self.scale, margin=self.margin)
        select = [f"    if (column == {i}) value = texelFetch(u_shaded[{i}], block, 0);" for i in range(self.scale)]
        self.tiles = TileProgram(ctx, text.replace("SELECT", "\n".join(select)))
        program = self.program = self.tiles.program
        program["u_hits"] = 0
        program["u_shaded"] = list(range(1, self.scale + 1)) if self.scale > 1 else 1

    def render(
        self,
        hits: moderngl.Texture,
        shaded: list[moderngl.Texture],
        tiles: moderngl.Texture,
        background: tuple[float, float, float, float],
        *,
        out: moderngl.Framebuffer,
    ) -> None:
        """Fill ``out``.

        ``hits``: the outer shell's; ``shaded``: the last layer's textures; ``background``: straight RGBA.
        """
        red, green, blue, alpha = background if self.mode is Mode.FINAL else (0.0, 0.0, 0.0, 1.0)
        out.use()
        out.clear(red * alpha, green * alpha, blue * alpha, alpha)
        self.ctx.enable_only(moderngl.BLEND)
        self.ctx.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        # tiles are those of the G-buffer, which begins a margin before the picture
        begin, size = -self.margin * self.scale, (hits.width * self.scale, hits.height * self.scale)
        out.viewport = (begin, begin, *size)
        hits.use(0)
        for row in range(self.scale):
            self._set("u_row", row)
            for i, texture in enumerate(shaded[row * self.scale : (row + 1) * self.scale], 1):
                texture.use(i)
            self.tiles.render(tiles, (hits.width, hits.height))

    def _set(self, name: str, value: object) -> None:
        if name in self.program:  # the driver drops what a mode does not use
            self.program[name] = value


class TargetPass:
    """Makes a target visible, in any other :class:`Mode`."""

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

        ``hits``: the shell's, whose last channel says where it is; ``distances``: those drawn white and black, unless
        ``display`` asks for a channel.
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


PATTERNS = ("plain", "checker", "gradient")


@dataclass(frozen=True)
class Backdrop:
    """What is behind the scene in the window: ``color``, RGB in [0, 1], in one of :data:`PATTERNS`.

    ``exposure``: stops by which the scene is brightened.
    """

    color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pattern: str = "plain"
    exposure: float = 0.0

    @property
    def drawn(self) -> tuple[float, float, float, float]:
        """The straight RGBA to draw the picture over: a plain one's colour, else nothing."""
        return (0.0, 0.0, 0.0, 0.0) if self.number else (*self.color, 1.0)

    @property
    def number(self) -> int:
        """What is left for the screen's pass: 0 for nothing, else one more than the pattern's place in the list."""
        return 0 if self.pattern == "plain" and not self.exposure else 1 + PATTERNS.index(self.pattern)


class ScreenPass:
    """Stretches a picture over a part of the window."""

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
        """Draw the ``part`` of ``picture`` that would be seen there if it filled ``box``, filtered as the texture says.

        ``picture``: premultiplied, drawn over ``backdrop.drawn``; ``box``, ``part``: left, bottom, width and height in
        pixels of ``out``.
        """
        out.use()
        out.viewport, out.scissor = part, None  # type: ignore[assignment]
        self.ctx.enable_only(moderngl.NOTHING)
        picture.use(0)
        triangle = self._triangle(backdrop.number)
        for name, value in (
            ("u_box", tuple(float(x) for x in box)),
            ("u_background", backdrop.color),
            ("u_square", max(box[3] / 40, 4.0)),
            ("u_exposure", 2.0**backdrop.exposure),
        ):
            if name in triangle.program:  # the driver drops what a pattern does not use
                triangle.program[name] = value
        triangle.render(moderngl.TRIANGLES, vertices=3)

    def _triangle(self, pattern: int) -> moderngl.VertexArray:
        if pattern not in self._triangles:
            text = source("screen/screen.frag", pattern=pattern)
            program = self.ctx.program(vertex_shader=source("screen/fullscreen.vert"), fragment_shader=text)
            self._triangles[pattern] = self.ctx.vertex_array(program, [])
        return self._triangles[pattern]
