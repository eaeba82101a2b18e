"""Tile culling: later passes draw only the screen tiles that contain covered pixels."""

from __future__ import annotations

import moderngl

from duplex.shaders import source

TILE = 16  # side of a tile, pixels


class TilePass:
    """Marks the occupied tiles: those with a covered pixel, or with one at most ``margin`` pixels away."""

    def __init__(self, ctx: moderngl.Context, margin: int):
        self.ctx = ctx
        self.program = ctx.program(
            vertex_shader=source("screen/fullscreen.vert"),
            fragment_shader=source("tiles/tiles.frag", tile=TILE, margin=margin),
        )
        self.triangle = ctx.vertex_array(self.program, [])
        self.program["u_hits"] = 0

    def render(self, hits: moderngl.Texture, *, out: moderngl.Framebuffer) -> None:
        """Fill ``out``, one pixel per tile, from the ``hits`` of the outer shell."""
        out.use()
        self.ctx.enable_only(moderngl.NOTHING)
        hits.use(0)
        self.triangle.render(moderngl.TRIANGLES, vertices=3)


class TileProgram:
    """A fragment shader that runs on occupied tiles only. It uses texture unit :attr:`UNIT`."""

    UNIT = 16  # a network layer may use units 0 to 15, all that OpenGL guarantees for one shader stage (48 in total)

    def __init__(self, ctx: moderngl.Context, fragment_shader: str):
        self.program = ctx.program(vertex_shader=source("tiles/tiles.vert"), fragment_shader=fragment_shader)
        self.square = ctx.vertex_array(self.program, [])
        self.program["u_tiles"] = self.UNIT

    def render(self, tiles: moderngl.Texture, size: tuple[int, int], level: int = 0, reach: int = 0) -> None:
        """Draw the occupied ``tiles`` of the bound framebuffer; ``size``: pixels that the tiles cover.

        ``level``: of a pyramid, on which tiles are ``2^level`` times smaller; ``reach``: how many tiles around occupied
        ones are drawn, too.
        """
        tiles.use(self.UNIT)
        self.program["u_side"] = TILE / (1 << level)
        self.program["u_reach"] = reach
        self.program["u_size"] = (float(size[0]), float(size[1]))
        self.square.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=tiles.width * tiles.height)

    def render_whole(self, tiles: moderngl.Texture, size: tuple[int, int]) -> None:
        """Draw all ``size`` pixels of the bound framebuffer if any of ``tiles`` is occupied."""
        tiles.use(self.UNIT)
        self.program["u_side"] = float(max(size))
        self.program["u_reach"] = max(tiles.width, tiles.height)
        self.program["u_size"] = (float(size[0]), float(size[1]))
        self.square.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=1)


def tile_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """A target with one pixel for each tile of an image of ``size`` pixels."""
    texture = ctx.texture((-(-size[0] // TILE), -(-size[1] // TILE)), 1)
    texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
    return ctx.framebuffer([texture])
