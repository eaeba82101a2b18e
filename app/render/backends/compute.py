"""The compute backend: the shading network as OpenGL 4.3 compute shaders, faster on some GPUs."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.core.errors import DuplexError
from duplex.app.render.backends.stages import Layer, groups_of, layers_of, stage_body, stages_of
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
        self.stages = [self._stage(layers) for layers in stages_of(layers_of(spec, weights))]

    def _stage(self, layers: list[Layer]) -> list[tuple[moderngl.ComputeShader, range]]:
        """The shaders of a stage: one for each group of output textures, with the indices of those textures."""
        shaders = []
        for group, part in groups_of(layers):
            shader = self.ctx.compute_shader(stage_source(part))
            for i in range(layers[0].spec.inputs // 4):
                if f"u_input{i}" in shader:  # the GLSL compiler removes inputs whose weights are all 0
                    shader[f"u_input{i}"] = i
            shaders.append((shader, group))
        return shaders

    def sized(self, size: tuple[int, int]) -> SizedComputeBackend:
        """This backend with half-float targets and a tile list for G-buffers of ``size``."""
        textures = [[color_target(self.ctx, size) for _ in range(stage[-1][1].stop)] for stage in self.stages]
        tiles = -(-size[0] // TILE) * -(-size[1] // TILE)
        return SizedComputeBackend(self, textures, self.ctx.buffer(reserve=4 * (4 + tiles)))


class SizedComputeBackend:
    """A :class:`ComputeBackend` with its targets.

    ``textures``: outputs of each stage; ``tiles``: uint32 buffer with the arguments of the indirect dispatch and the
    list of occupied tiles (``shaders/include/tile_list.glsl``).
    """

    def __init__(self, backend: ComputeBackend, textures: list[list[moderngl.Texture]], tiles: moderngl.Buffer):
        self.backend = backend
        self.textures = textures
        self.tiles = tiles

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the targets in bytes."""
        return bytes_of(self.tiles, *(texture for group in self.textures for texture in group))

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
        for number, (stage, textures) in enumerate(zip(self.backend.stages, self.textures, strict=True), 1):
            with timers.measure(f"shading {number}"):
                for unit, texture in enumerate(inputs):
                    texture.use(unit)
                for shader, group in stage:
                    self._run(shader, textures[group.start : group.stop])
            inputs = textures
        return inputs

    def _run(self, shader: moderngl.ComputeShader, out: list[moderngl.Texture]) -> None:
        for unit, texture in enumerate(out):
            texture.bind_to_image(unit, read=False, write=True)
        shader.run_indirect(self.tiles)
        self.backend.ctx.memory_barrier()


def stage_source(layers: list[Layer]) -> str:
    """The GLSL compute shader of one stage: a layer and the 1x1 layers after it."""
    outputs = len(layers[-1].bias) // 4
    declarations = [f"uniform sampler2D u_input{i};" for i in range(layers[0].spec.inputs // 4)]
    declarations += [f"layout(rgba16f, binding = {i}) writeonly uniform image2D u_out{i};" for i in range(outputs)]
    results, body = stage_body(layers)
    body += [f"    imageStore(u_out{i}, pixel, {result});" for i, result in enumerate(results)]
    text = source("network/shading.comp", VERSION, tile=TILE, row=ROW)
    return text.replace("DECLARATIONS", "\n".join(declarations)).replace("BODY", "\n".join(body))
