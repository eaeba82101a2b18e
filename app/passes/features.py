"""The shading network's inputs, pixel by pixel: both hits' features, and the encoded view direction."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.bundle import BundleShell
from duplex.app.gpu import color_target
from duplex.app.network import VIEW_CHANNELS, NetworkSpec
from duplex.app.passes.gbuffer import HIT_STEPS, View
from duplex.app.passes.tiles import TileProgram
from duplex.shaders import source


class FeaturePass:
    """Looks the features of ``shells``, outer and inner, up where they were hit."""

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, shells: tuple[BundleShell, BundleShell]):
        self.ctx = ctx
        self.textures = [upload(ctx, shell, spec.mip_levels) for shell in shells]
        self.tiles = TileProgram(ctx, source("features.frag", textures=spec.feature_channels // 4, **HIT_STEPS))
        program = self.program = self.tiles.program
        for unit, name in enumerate(("u_outer_hits", "u_inner_hits", "u_outer_features", "u_inner_features")):
            program[name] = unit
        for name, values in (("u_scale", [s.scale for s in shells]), ("u_offset", [s.offset for s in shells])):
            program[name].write(np.concatenate(values).astype("<f4").tobytes())  # type: ignore[union-attr]

    def render(
        self, view: View, hits: list[moderngl.Texture], tiles: moderngl.Texture, *, out: moderngl.Framebuffer
    ) -> None:
        """Fill the occupied ``tiles`` of ``out`` from both shells' ``hits``."""
        out.use()
        self.ctx.enable_only(moderngl.NOTHING)
        for unit, hit in enumerate(hits):
            hit.use(unit)
        for unit, features in enumerate(self.textures, len(hits)):
            features.use(unit)
        self.program["u_pixel_to_ray"].write(view.pixel_to_ray.T.astype("<f4").tobytes())  # type: ignore[union-attr]
        self.tiles.render(tiles, out.size)


def upload(ctx: moderngl.Context, shell: BundleShell, mip_levels: int) -> moderngl.TextureArray:
    """The shell's texels as an array texture of RGBA8 with mip levels."""
    count, height, width, _ = shell.texels.shape
    texture = ctx.texture_array((width, height, count), 4, np.ascontiguousarray(shell.texels).tobytes())
    texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
    if mip_levels > 1:
        texture.build_mipmaps(0, mip_levels - 1)
        texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
    texture.repeat_x = texture.repeat_y = False
    return texture


def input_targets(ctx: moderngl.Context, size: tuple[int, int], spec: NetworkSpec) -> moderngl.Framebuffer:
    """Half-float targets for the network's inputs, four channels each, in its own order."""
    count = (2 * spec.feature_channels + VIEW_CHANNELS) // 4
    return ctx.framebuffer([color_target(ctx, size) for _ in range(count)])
