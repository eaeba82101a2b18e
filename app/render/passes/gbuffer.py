"""The G-buffer passes: first hits with the outer shell, then first hits with the inner shell behind those."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from duplex.app.render.gpu import color_target, depth_target
from duplex.app.render.view_transform import ViewTransform
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.mesh import Mesh
from duplex.shaders import source

# hits are stored as 16-bit integers
UV_STEPS = 0xFFFE  # texture coordinate 1
LOWEST_LEVEL = -16  # level of detail that is stored as 0
LEVEL_STEPS = 2048  # steps per level of detail
HIT_STEPS = {"uv_steps": float(UV_STEPS), "lowest_level": float(LOWEST_LEVEL), "level_steps": float(LEVEL_STEPS)}


@dataclass(frozen=True)
class GpuShell:
    """A shell's mesh on the GPU.

    ``vertices``: 5 float32 each, position x y z and texture coordinates; ``indices``: uint32; ``double_sided``: whether
    back faces are drawn.
    """

    vertices: moderngl.Buffer
    indices: moderngl.Buffer
    double_sided: bool

    @classmethod
    def upload(cls, ctx: moderngl.Context, mesh: Mesh, double_sided: bool) -> GpuShell:
        """Upload ``mesh``."""
        vertices = np.concatenate([mesh.positions, mesh.uvs], 1).astype("<f4")
        indices = ctx.buffer(mesh.faces.astype("<u4").tobytes())
        return cls(ctx.buffer(vertices.tobytes()), indices, double_sided)


class GBufferPass:
    """Draws the nearest surface of one shell; ``layer`` 1 is restricted to fragments behind layer 0 (depth peeling).

    It draws into :func:`surface_targets` if ``surface``, else into :func:`hit_targets`. ``reference``: of
    the network, see :class:`~duplex.app.scene.network.NetworkSpec`.
    """

    def __init__(
        self,
        ctx: moderngl.Context,
        shell: GpuShell,
        layer: int,
        surface: bool = False,
        reference: ReferenceView | None = None,
    ):
        self.ctx = ctx
        self.reference = reference
        self.state = moderngl.DEPTH_TEST | (moderngl.NOTHING if shell.double_sided else moderngl.CULL_FACE)
        variant = {"surface": int(surface), "scaled": int(reference is not None)}
        self.program = ctx.program(
            vertex_shader=source("gbuffer/gbuffer.vert", **variant),
            fragment_shader=source("gbuffer/gbuffer.frag", layer=layer, **variant, **HIT_STEPS),
        )
        self.vertices = ctx.vertex_array(
            self.program, [(shell.vertices, "3f 2f", "in_position", "in_uv")], shell.indices, skip_errors=True
        )
        if layer == 1:
            self.program["u_first_depth"] = 0

    def render(
        self, transform: ViewTransform, first_depth: moderngl.Texture | None = None, *, out: moderngl.Framebuffer
    ) -> None:
        """Clear ``out`` (colours to 0, depth to 1) and draw; ``first_depth``: depth texture of layer 0, for layer 1."""
        out.use()
        out.clear()
        self.ctx.enable_only(self.state)
        self.program["u_world_to_clip"].write(transform.world_to_clip.T.astype("<f4").tobytes())  # type: ignore[union-attr]
        if "u_eye" in self.program:
            self.program["u_eye"] = tuple(float(x) for x in transform.eye)
        if self.reference and "u_focal" in self.program:
            self.program["u_reference"] = (*self.reference.eye, self.reference.spread)
            self.program["u_focal"] = transform.focal / self.reference.focal
        if first_depth is not None:
            first_depth.use(0)
        self.vertices.render()


def hit_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """A 16-bit integer target for u, v, level of detail and coverage, with depth.

    Coverage is 0 at a miss, else ``r / (1 + r)``: ``r`` is the scale of the pixel, see
    :mod:`duplex.app.scene.coordinates.reference_view`, or 1 without a reference view.
    """
    return ctx.framebuffer([color_target(ctx, size, dtype="nu2")], depth_target(ctx, size))


def surface_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """Targets for u, v, distance, face index + 1 (float32) and normal, level of detail (half float), with depth."""
    colors = [color_target(ctx, size, dtype="f4"), color_target(ctx, size)]
    return ctx.framebuffer(colors, depth_target(ctx, size))
