"""The wireframe pass: edges of a shell's triangles over the image in the window."""

from __future__ import annotations

import moderngl

from duplex.app.render.passes.gbuffer import GpuShell
from duplex.app.render.view_transform import ViewTransform
from duplex.shaders import source

COLORS = ((0.1, 0.5, 1.0, 0.35), (1.0, 0.4, 0.1, 0.35))  # outer, inner: straight RGBA


class WireframePass:
    """Draws the front faces of ``shell`` as lines of ``color``, straight RGBA; all faces if it is double-sided."""

    def __init__(self, ctx: moderngl.Context, shell: GpuShell, color: tuple[float, float, float, float]):
        self.ctx = ctx
        self.double_sided = shell.double_sided
        self.program = ctx.program(
            vertex_shader=source("gbuffer/gbuffer.vert", surface=0, scaled=0, valued=0),
            fragment_shader=source("gbuffer/wireframe.frag"),
        )
        self.program["u_color"] = color
        self.vertices = ctx.vertex_array(self.program, shell.attributes(), shell.indices, skip_errors=True)

    def render(self, transform: ViewTransform, part: tuple[int, int, int, int], *, out: moderngl.Framebuffer) -> None:
        """Draw into ``part`` (left, bottom, width, height) of ``out``; ``transform``: of a camera of that size."""
        out.use()
        out.viewport = part
        out.scissor = part
        self.ctx.enable_only(moderngl.BLEND | (moderngl.NOTHING if self.double_sided else moderngl.CULL_FACE))
        self.ctx.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        self.program["u_world_to_clip"].write(transform.world_to_clip.T.astype("<f4").tobytes())  # type: ignore[union-attr]
        self.ctx.wireframe = True
        self.vertices.render()
        self.ctx.wireframe = False
        out.scissor = None  # type: ignore[assignment]
