"""Which square tiles of a picture have something to shade; later passes draw those only, and never the empty rest."""

from __future__ import annotations

import moderngl

from duplex.shaders import source

TILE = 16


class TilePass:
    """Finds the tiles that are covered, or within ``margin`` pixels of what is."""

    def __init__(self, ctx: moderngl.Context, margin: int):
        self.ctx = ctx
        self.program = ctx.program(
            vertex_shader=source("screen/fullscreen.vert"),
            fragment_shader=source("tiles/tiles.frag", tile=TILE, margin=margin),
        )
        self.triangle = ctx.vertex_array(self.program, [])
        self.program["u_hits"] = 0

    def render(self, hits: moderngl.Texture, *, out: moderngl.Framebuffer) -> None:
        """Read the outer shell's ``hits`` and fill ``out``, one pixel a tile."""
        out.use()
        self.ctx.enable_only(moderngl.NOTHING)
        hits.use(0)
        self.triangle.render(moderngl.TRIANGLES, vertices=3)


class TileProgram:
    """A fragment shader that is run on occupied tiles only. Texture units from ``UNIT`` on are taken."""

    UNIT = 16  # behind the 16 that one stage has for certain: a layer's inputs may take all of those, of 48 in all

    def __init__(self, ctx: moderngl.Context, fragment_shader: str):
        self.program = ctx.program(vertex_shader=source("tiles/tiles.vert", tile=TILE), fragment_shader=fragment_shader)
        self.square = ctx.vertex_array(self.program, [])
        self.program["u_tiles"] = self.UNIT

    def render(self, tiles: moderngl.Texture, size: tuple[int, int]) -> None:
        """Draw into what is bound, of which ``size`` pixels are divided into ``tiles``."""
        tiles.use(self.UNIT)
        self.program["u_size"] = (float(size[0]), float(size[1]))
        self.square.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=tiles.width * tiles.height)


def tile_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """A target with a pixel for each tile of a picture of ``size``."""
    texture = ctx.texture((-(-size[0] // TILE), -(-size[1] // TILE)), 1)
    texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
    return ctx.framebuffer([texture])
