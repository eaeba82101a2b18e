"""The compute backend: the shading network as OpenGL 4.3 compute shaders, faster on some GPUs."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.core.errors import DuplexError
from duplex.app.render.backends.pyramid import DEFINES, FeaturePyramid, SizedPyramid, TapSource
from duplex.app.render.backends.stage_programs import StagePrograms, prepare, stage_source
from duplex.app.render.backends.stages import Layer, layers_of, stages_of
from duplex.app.render.frame import Frame
from duplex.app.render.gpu import bytes_of, color_target, colors, describe
from duplex.app.render.passes.features import FeaturePass
from duplex.app.render.passes.tiles import TILE
from duplex.app.render.timers import Timers
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.shaders import source

VERSION = 430  # of OpenGL and GLSL
LIST_GROUP = 64  # tiles that one work group of tile_list.comp tests
ROW = 65535  # work groups along one axis that OpenGL guarantees
EMPTY_LIST = np.array([0, 1, 1, 0], "<u4").tobytes()


class ComputeBackend:
    """One indirect dispatch over the list of occupied tiles for each stage of the network.

    Raises :class:`DuplexError` if OpenGL is older than 4.3.
    """

    name = "compute"
    provider = ""

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, weights: NetworkWeights, features: FeaturePass):
        if ctx.version_code < VERSION:
            raise DuplexError(f"backend compute: it needs OpenGL 4.3, here is {describe(ctx)}: try another backend")
        self.ctx = ctx
        self.features = features
        self.list_tiles = ctx.compute_shader(source("tiles/tile_list.comp", VERSION, row=ROW))
        self.list_tiles["u_tiles"] = 0
        self.look_up = ctx.compute_shader(
            source("network/features.comp", VERSION, tile=TILE, row=ROW, **features.defines)
        )
        features.prepare(self.look_up)
        layers = layers_of(spec, weights)
        self.pyramid = FeaturePyramid(ctx, spec, layers[0]) if spec.scaled else None
        stages = stages_of(layers, spec.scaled)
        self.stages = [self._programs(stage, None if i else self.pyramid) for i, stage in enumerate(stages)]

    def _programs(self, layers: list[Layer], pyramid: FeaturePyramid | None) -> StagePrograms[moderngl.ComputeShader]:
        def make(part: list[Layer], taps: TapSource) -> moderngl.ComputeShader:
            shader = self.ctx.compute_shader(compute_source(part, taps))
            prepare(shader, part, pyramid)
            return shader

        return StagePrograms(layers, pyramid, make)

    def sized(self, size: tuple[int, int]) -> SizedComputeBackend:
        """This backend with half-float targets and a tile list for G-buffers of ``size``."""
        textures = [[color_target(self.ctx, size) for _ in range(stage.groups[-1].stop)] for stage in self.stages]
        pyramid = self.pyramid.sized(size) if self.pyramid else None
        tiles = -(-size[0] // TILE) * -(-size[1] // TILE)
        return SizedComputeBackend(self, textures, self.ctx.buffer(reserve=4 * (4 + tiles)), pyramid)


class SizedComputeBackend:
    """A :class:`ComputeBackend` with its targets.

    ``textures``: outputs of each stage; ``tiles``: uint32 buffer with the arguments of the indirect dispatch and the
    list of occupied tiles (``shaders/include/tile_list.glsl``).
    """

    def __init__(
        self,
        backend: ComputeBackend,
        textures: list[list[moderngl.Texture]],
        tiles: moderngl.Buffer,
        pyramid: SizedPyramid | None,
    ):
        self.backend = backend
        self.textures = textures
        self.tiles = tiles
        self.pyramid = pyramid

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the targets in bytes."""
        own = bytes_of(self.tiles, *(texture for group in self.textures for texture in group))
        return own + (self.pyramid.gpu_bytes if self.pyramid else 0)

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """List the occupied tiles, look up features there and run the network there."""
        ctx = self.backend.ctx
        features = self.backend.features
        with timers.measure("tile list"):
            self.tiles.write(EMPTY_LIST)
            self.tiles.bind_to_storage_buffer(0)
            frame.tiles.use(0)
            self.backend.list_tiles.run(-(-frame.tiles.width * frame.tiles.height // LIST_GROUP))
            ctx.memory_barrier()
        inputs = colors(frame.inputs)
        with timers.measure("features"):
            features.bind(self.backend.look_up, frame)
            self._run(self.backend.look_up, inputs)
        if self.pyramid:
            with timers.measure("pyramid"):
                self.pyramid.render(frame)
        for number, (stage, textures) in enumerate(zip(self.backend.stages, self.textures, strict=True), 1):
            with timers.measure(f"shading {number}"):
                for unit, texture in enumerate(inputs):
                    texture.use(unit)
                taps = stage.taps(frame)
                for shader, group, rings in zip(stage.reading(taps), stage.groups, stage.rings, strict=True):
                    if self.pyramid and taps is not TapSource.NEIGHBOURS:
                        self.pyramid.bind(shader, frame, len(inputs), rings)
                    self._run(shader, textures[group.start : group.stop])
            inputs = textures
        return inputs

    def _run(self, shader: moderngl.ComputeShader, out: list[moderngl.Texture]) -> None:
        for unit, texture in enumerate(out):
            texture.bind_to_image(unit, read=False, write=True)
        shader.run_indirect(self.tiles)
        self.backend.ctx.memory_barrier()


def compute_source(layers: list[Layer], taps: TapSource = TapSource.NEIGHBOURS) -> str:
    """The GLSL compute shader of one stage: a layer and the 1x1 layers after it."""
    scaled = int(taps is not TapSource.NEIGHBOURS)
    text = source("network/shading.comp", VERSION, tile=TILE, row=ROW, scaled=scaled, **DEFINES)
    declaration = "layout(rgba16f, binding = {i}) writeonly uniform image2D u_out{i};"
    return stage_source(text, layers, taps, declaration, "imageStore(u_out{i}, pixel, {value});")
