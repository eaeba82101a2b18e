"""The G-buffer passes: the outer shell's nearest surface, and the inner shell's nearest one behind it."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from duplex.app.camera import Array, Camera
from duplex.app.gpu import color_target, depth_target
from duplex.shaders import source

VIEW_TEXTURES = 2


@dataclass(frozen=True)
class View:
    """What a pass needs of a camera: ``world_to_clip`` (4, 4) and ``eye`` (3,), float64."""

    world_to_clip: Array
    eye: Array

    @classmethod
    def of(cls, camera: Camera, center: Array, radius: float) -> View:
        """The view of ``camera`` with its depth range around the sphere that holds the scene."""
        depth = -float((camera.view_matrix() @ np.append(center, 1))[2])
        near = max(depth - radius, radius * 5e-4)
        far = max(depth + radius, near * 2)
        return cls(camera.projection_matrix(near, far) @ camera.view_matrix(), camera.position)


@dataclass
class GpuShell:
    """A shell on the GPU.

    ``vertices``: position and uv, 5 float32 each; ``indices``: uint32; ``features``: RGBA8 array texture, or
    None while the features are still to be learned; ``scale``, ``offset``: (textures, 4), which dequantise them.
    """

    vertices: moderngl.Buffer
    indices: moderngl.Buffer
    features: moderngl.TextureArray | None
    scale: Array
    offset: Array

    @classmethod
    def upload(cls, ctx: moderngl.Context, positions: Array, uvs: Array, faces: Array) -> GpuShell:
        """Geometry only: ``positions`` (v, 3), ``uvs`` (v, 2) in [0, 1], ``faces`` (f, 3)."""
        vertices = np.concatenate([positions, uvs], 1).astype("<f4")
        none = np.zeros((0, 4), np.float32)
        return cls(ctx.buffer(vertices.tobytes()), ctx.buffer(faces.astype("<u4").tobytes()), None, none, none)

    def with_features(
        self, ctx: moderngl.Context, texels: Array, scale: Array, offset: Array, mip_levels: int
    ) -> GpuShell:
        """The same geometry with ``texels`` (textures, height, width, 4) uint8, first row at v = 0."""
        count, height, width, _ = texels.shape
        texture = ctx.texture_array((width, height, count), 4, np.ascontiguousarray(texels).tobytes())
        texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        if mip_levels > 1:
            texture.build_mipmaps(0, mip_levels - 1)
            texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        texture.repeat_x = texture.repeat_y = False
        return GpuShell(self.vertices, self.indices, texture, scale.reshape(-1, 4), offset.reshape(-1, 4))


class GBufferPass:
    """Draws one shell's nearest surface: ``layer`` 0 freely, ``layer`` 1 behind a first layer's depth.

    With ``surface`` the targets are those of :func:`surface_targets`, else those of :func:`feature_targets`.
    """

    def __init__(self, ctx: moderngl.Context, shell: GpuShell, layer: int, surface: bool = False):
        self.ctx, self.shell, self.layer, self.surface = ctx, shell, layer, surface
        count = max(len(shell.scale), 1)
        defines = {
            "layer": layer,
            "surface": int(surface),
            "feature_textures": count,
            "view_location0": count,
            "view_location1": count + 1,
        }
        self.program = ctx.program(
            vertex_shader=source("gbuffer.vert"), fragment_shader=source("gbuffer.frag", **defines)
        )
        self.vertices = ctx.vertex_array(
            self.program, [(shell.vertices, "3f 2f", "in_position", "in_uv")], shell.indices, skip_errors=True
        )
        if not surface:
            self.program["u_features"] = 0
            self.program["u_scale"].write(shell.scale.astype("<f4").tobytes())  # type: ignore[union-attr]
            self.program["u_offset"].write(shell.offset.astype("<f4").tobytes())  # type: ignore[union-attr]
        if layer == 1:
            self.program["u_first_depth"] = 1

    def render(self, view: View, first_depth: moderngl.Texture | None = None, *, out: moderngl.Framebuffer) -> None:
        """Clear ``out`` (colours to 0, depth to 1) and draw; ``first_depth`` is layer 0's depth texture."""
        out.use()
        out.clear()
        self.ctx.enable_only(moderngl.DEPTH_TEST)
        self.program["u_world_to_clip"].write(view.world_to_clip.T.astype("<f4").tobytes())  # type: ignore[union-attr]
        if "u_eye" in self.program:
            self.program["u_eye"] = tuple(float(x) for x in view.eye)
        if not self.surface and self.shell.features is not None:
            self.shell.features.use(0)
        if first_depth is not None:
            first_depth.use(1)
        self.vertices.render()


def feature_targets(ctx: moderngl.Context, size: tuple[int, int], textures: int, layer: int) -> moderngl.Framebuffer:
    """Half-float targets for one layer's features and, in layer 0, the encoded view direction; with depth."""
    count = textures + (VIEW_TEXTURES if layer == 0 else 0)
    return ctx.framebuffer([color_target(ctx, size) for _ in range(count)], depth_target(ctx, size))


def surface_targets(ctx: moderngl.Context, size: tuple[int, int]) -> moderngl.Framebuffer:
    """Targets for uv, distance, face + 1 (float32), and normal and level of detail (half float); with depth."""
    colors = [color_target(ctx, size, dtype="f4"), color_target(ctx, size)]
    return ctx.framebuffer(colors, depth_target(ctx, size))
