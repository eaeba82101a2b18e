"""The G-buffer passes: where rays hit the outer shell first, and where the inner shell first behind that."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from duplex.app.render.gpu import color_target, depth_target
from duplex.app.render.view_transform import ViewTransform
from duplex.app.scene.mesh import Mesh
from duplex.shaders import source

UV_STEPS = 0xFFFE  # 1 in a texture coordinate, as hits hold it
LOWEST_LEVEL, LEVEL_STEPS = -16, 2048  # levels of detail, as hits hold them: steps of 1 / 2048 from -16 on
HIT_STEPS = {"uv_steps": float(UV_STEPS), "lowest_level": float(LOWEST_LEVEL), "level_steps": float(LEVEL_STEPS)}


@dataclass(frozen=True)
class GpuShell:
    """A shell's geometry on the GPU.

    ``vertices``: position and uv, 5 float32 each; ``indices``: uint32; ``double_sided``: whether backs of faces count.
    """

    vertices: moderngl.Buffer
    indices: moderngl.Buffer
    double_sided: bool

    @classmethod
    def upload(cls, ctx: moderngl.Context, mesh: Mesh, double_sided: bool) -> GpuShell:
        """Copy ``mesh`` to the GPU."""
        vertices = np.concatenate([mesh.positions, mesh.uvs], 1).astype("<f4")
        indices = ctx.buffer(mesh.faces.astype("<u4").tobytes())
        return cls(ctx.buffer(vertices.tobytes()), indices, double_sided)


class GBufferPass:
    """Draws one shell's nearest surface: ``layer`` 0 freely, ``layer`` 1 behind a first layer's depth.

    With ``surface`` the targets are those of :func:`surface_targets`, else those of :func:`hit_targets`.
    """

    def __init__(self, ctx: moderngl.Context, shell: GpuShell, layer: int, surface: bool = False):
        self.ctx = ctx
        self.state = moderngl.DEPTH_TEST | (moderngl.NOTHING if shell.double_sided else moderngl.CULL_FACE)
        self.program = ctx.program(
            vertex_shader=source("gbuffer/gbuffer.vert", surface=int(surface)),
            fragment_shader=source("gbuffer/gbuffer.frag", layer=layer, surface=int(surface), **HIT_STEPS),
        )
        self.vertices = ctx.vertex_array(
            self.program, [(shell.vertices, "3f 2f", "in_position", "in_uv")], shell.indices, skip_errors=True
        )
        if layer == 1:
            self.program["u_first_depth"] = 0

    def render(
        self, transform: ViewTransform, first_depth: moderngl.Texture | None = None, *, out: moderngl.Framebuffer
    ) -> None:
        """Clear ``out`` (colours to 0, depth to 1) and draw; ``first_depth`` is layer 0's depth texture."""
        out.use()
        out.clear()
        self.ctx.enable_only(self.state)
        self.program["u_world_to_clip"].write(transform.world_to_clip.T.astype("<f4").tobytes())  # type: ignore[union-attr]
        if "u_eye" in self.program:
            self.program["u_eye"] = tuple(float(x) for x in transform.eye)
        if first_depth is not None:
            first_depth.use(0)
        self.vertices.render()


def hit_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """A target for uv, level of detail and 1 where something is hit, 16 bits each; with depth."""
    return ctx.framebuffer([color_target(ctx, size, dtype="nu2")], depth_target(ctx, size))


def surface_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """Targets for uv, distance, face + 1 (float32), and normal and level of detail (half float); with depth."""
    colors = [color_target(ctx, size, dtype="f4"), color_target(ctx, size)]
    return ctx.framebuffer(colors, depth_target(ctx, size))
