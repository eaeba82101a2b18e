"""The G-buffer passes: first hits with the outer shell, then first hits with the inner shell behind those."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from duplex.app.render.gpu import color_target, depth_target
from duplex.app.render.view_transform import ViewTransform
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.mesh import BORDER, Mesh
from duplex.shaders import source

# hits are stored as 16-bit integers
UV_STEPS = 0xFFFE  # texture coordinate 1
LOWEST_LEVEL = -16  # level of detail that is stored as 0; that of a whole texture, 0, is the highest
LEVEL_STEPS = 64  # steps per level of detail
OPACITY_STEPS = 64  # values of the opacity, which shares 16 bits with the level
HIT_STEPS = {
    "uv_steps": float(UV_STEPS),
    "lowest_level": float(LOWEST_LEVEL),
    "level_steps": float(LEVEL_STEPS),
    "opacity_steps": float(OPACITY_STEPS),
}
FADING = (0.0, 0.5)  # from this value of what was seen on, a hit gains opacity; the range over which it does
HIDING = (BORDER, 1e-4)  # the range widens to a pixel, so that the edge is not jagged


@dataclass(frozen=True)
class GpuShell:
    """A shell's mesh on the GPU.

    ``vertices``: 5 float32 each, position x y z and texture coordinates; ``indices``: uint32; ``double_sided``: whether
    back faces are drawn; ``seen``: float32, how far each vertex was seen, None: everything was seen.
    """

    vertices: moderngl.Buffer
    indices: moderngl.Buffer
    double_sided: bool
    seen: moderngl.Buffer | None = None

    @classmethod
    def upload(cls, ctx: moderngl.Context, mesh: Mesh, double_sided: bool) -> GpuShell:
        """Upload ``mesh``."""
        vertices = np.concatenate([mesh.positions, mesh.uvs], 1).astype("<f4")
        indices = ctx.buffer(mesh.faces.astype("<u4").tobytes())
        seen = None if mesh.seen is None else ctx.buffer(mesh.seen.astype("<f4").tobytes())
        return cls(ctx.buffer(vertices.tobytes()), indices, double_sided, seen)

    def attributes(self) -> list[tuple[moderngl.Buffer, str, *tuple[str, ...]]]:
        """The vertex attributes, as ``ctx.vertex_array`` takes them."""
        found: list[tuple[moderngl.Buffer, str, *tuple[str, ...]]] = [(self.vertices, "3f 2f", "in_position", "in_uv")]
        return found if self.seen is None else [*found, (self.seen, "1f", "in_seen")]


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
        valued = shell.seen is not None and not surface
        variant = {"surface": int(surface), "scaled": int(reference is not None), "valued": int(valued)}
        self.program = ctx.program(
            vertex_shader=source("gbuffer/gbuffer.vert", **variant),
            fragment_shader=source("gbuffer/gbuffer.frag", layer=layer, **variant, **HIT_STEPS),
        )
        self.vertices = ctx.vertex_array(self.program, shell.attributes(), shell.indices, skip_errors=True)
        if layer == 1:
            self.program["u_first_depth"] = 0

    def render(
        self,
        transform: ViewTransform,
        first_depth: moderngl.Texture | None = None,
        hiding: bool = False,
        *,
        out: moderngl.Framebuffer,
    ) -> None:
        """Clear ``out`` (colours to 0, depth to 1) and draw.

        ``first_depth``: depth texture of layer 0, for layer 1; ``hiding``: the opacity of a hit ends where the seen
        part of the shell does, and does not fade.
        """
        out.use()
        out.clear()
        self.ctx.enable_only(self.state)
        self.program["u_world_to_clip"].write(transform.world_to_clip.T.astype("<f4").tobytes())  # type: ignore[union-attr]
        if "u_eye" in self.program:
            self.program["u_eye"] = tuple(float(x) for x in transform.eye)
        if self.reference and "u_focal" in self.program:
            self.program["u_reference"] = (*self.reference.eye, self.reference.spread)
            self.program["u_focal"] = transform.focal / self.reference.focal
        if "u_opaque" in self.program:
            self.program["u_opaque"] = HIDING if hiding else FADING
        if first_depth is not None:
            first_depth.use(0)
        self.vertices.render()


def hit_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """A 16-bit integer target for u, v, level of detail with opacity, and coverage, with depth.

    The opacity of a hit is 1 where the cameras of the bake have seen the shell.
    Coverage is 0 at a miss, else ``r / (1 + r)``: ``r`` is the scale of the pixel, see
    :mod:`duplex.app.scene.coordinates.reference_view`, or 1 without a reference view.
    """
    return ctx.framebuffer([color_target(ctx, size, dtype="nu2")], depth_target(ctx, size))


def surface_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """Targets for u, v, distance, face index + 1 (float32) and normal, level of detail (half float), with depth."""
    colors = [color_target(ctx, size, dtype="f4"), color_target(ctx, size)]
    return ctx.framebuffer(colors, depth_target(ctx, size))
