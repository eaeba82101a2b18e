"""The feature pass: writes the network's inputs, which are the features at both hits and the view direction."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.render.frame import Frame
from duplex.app.render.gpu import color_target
from duplex.app.render.passes.gbuffer import HIT_STEPS
from duplex.app.render.passes.tiles import TileProgram
from duplex.app.scene.bundle import BundleShell
from duplex.app.scene.network import VIEW_CHANNELS, NetworkSpec
from duplex.shaders import source


class FeaturePass:
    """Looks up the feature textures of the outer and the inner shell at the hits of the G-buffer.

    Other programs that include ``features.glsl`` use its :attr:`defines`, and :meth:`prepare` and :meth:`bind` set
    their uniforms and textures.
    """

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, shells: tuple[BundleShell, BundleShell]):
        self.ctx = ctx
        self.shells = shells
        self.textures = [upload(ctx, shell, spec.mip_levels) for shell in shells]
        self._decoding = {(a, b): self._decoding_of((a, b)) for a in (True, False) for b in (True, False)}
        self.defines = {"textures": spec.feature_channels // 4, **HIT_STEPS}
        self.tiles = TileProgram(ctx, source("network/features.frag", **self.defines))
        self.prepare(self.tiles.program)

    def prepare(self, program: moderngl.Program | moderngl.ComputeShader) -> None:
        """Set the uniforms of ``program`` that are constant over all frames."""
        for unit, name in enumerate(("u_outer_hits", "u_inner_hits", "u_outer_features", "u_inner_features")):
            program[name] = unit

    def _decoding_of(self, shown: tuple[bool, bool]) -> tuple[bytes, bytes]:
        """Dequantisation of both shells for the uniforms ``u_scale`` and ``u_offset``, as float32 bytes.

        Both are 0 for a shell that is not shown, so that its features are 0.
        """
        scale, offset = (
            np.concatenate([getattr(shell, name) * on for shell, on in zip(self.shells, shown, strict=True)])
            for name in ("scale", "offset")
        )
        return scale.astype("<f4").tobytes(), offset.astype("<f4").tobytes()

    def bind(self, program: moderngl.Program | moderngl.ComputeShader, frame: Frame) -> None:
        """Bind the textures and set the uniforms of ``frame`` for a prepared ``program``."""
        for unit, hit in enumerate(frame.hits):
            hit.use(unit)
        for unit, features in enumerate(self.textures, len(frame.hits)):
            features.use(unit)
        for name, values in zip(("u_scale", "u_offset"), self._decoding[frame.shells], strict=True):
            program[name].write(values)  # type: ignore[union-attr]
        to_ray = frame.transform.pixel_to_ray.T.astype("<f4").tobytes()
        program["u_pixel_to_ray"].write(to_ray)  # type: ignore[union-attr]

    def render(self, frame: Frame) -> None:
        """Fill the occupied tiles of ``frame.inputs``."""
        frame.inputs.use()
        self.ctx.enable_only(moderngl.NOTHING)
        self.bind(self.tiles.program, frame)
        self.tiles.render(frame.tiles, frame.inputs.size)


def upload(ctx: moderngl.Context, shell: BundleShell, mip_levels: int) -> moderngl.TextureArray:
    """Upload the feature textures of ``shell`` as an RGBA8 array texture with ``mip_levels`` levels."""
    count, height, width, _ = shell.texels.shape
    texture = ctx.texture_array((width, height, count), 4, np.ascontiguousarray(shell.texels).tobytes())
    texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
    if mip_levels > 1:
        texture.build_mipmaps(0, mip_levels - 1)
        texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
    texture.repeat_x = texture.repeat_y = False
    return texture


def input_targets(ctx: moderngl.Context, size: tuple[int, int], spec: NetworkSpec) -> moderngl.Framebuffer:
    """Half-float targets for the network's inputs in their order, 4 channels per texture, with bilinear filtering."""
    count = (2 * spec.feature_channels + VIEW_CHANNELS) // 4
    targets = [color_target(ctx, size) for _ in range(count)]
    for target in targets:
        target.filter = (moderngl.LINEAR, moderngl.LINEAR)
    return ctx.framebuffer(targets)
