"""The fragment backend: the shading network as fragment shaders, which run on every OpenGL 3.3 driver."""

from __future__ import annotations

import moderngl

from duplex.app.render.backends.stages import Layer, groups_of, layers_of, stage_body, stages_of
from duplex.app.render.frame import Frame
from duplex.app.render.gpu import bytes_of, color_target, colors
from duplex.app.render.passes.features import FeaturePass
from duplex.app.render.passes.tiles import TileProgram
from duplex.app.render.timers import Timers
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.shaders import source


class StagePass:
    """One stage of the network. It reads and writes textures of 4 channels, with one draw for each group of targets."""

    def __init__(self, ctx: moderngl.Context, layers: list[Layer]):
        self.ctx = ctx
        self.layers = layers
        self.groups: list[range] = []
        self.draws: list[TileProgram] = []
        for group, part in groups_of(layers):
            draw = TileProgram(ctx, stage_source(part))
            for i in range(layers[0].spec.inputs // 4):
                if f"u_input{i}" in draw.program:  # the GLSL compiler removes inputs whose weights are all 0
                    draw.program[f"u_input{i}"] = i
            self.groups.append(group)
            self.draws.append(draw)

    def render(
        self, inputs: list[moderngl.Texture], tiles: moderngl.Texture, *, out: list[moderngl.Framebuffer]
    ) -> None:
        """Fill the occupied ``tiles`` of ``out``: one framebuffer per group, all of the size of ``inputs``."""
        self.ctx.enable_only(moderngl.NOTHING)
        for i, texture in enumerate(inputs):
            texture.use(i)
        for draw, target in zip(self.draws, out, strict=True):
            target.use()
            draw.render(tiles, target.size)


class FragmentBackend:
    """One pass for each stage of the network, with half-float targets between stages.

    ``fused``: if False, each layer is a stage of its own, so that every layer's output can be shown.
    """

    name = "fragment"
    provider = ""

    def __init__(
        self,
        ctx: moderngl.Context,
        spec: NetworkSpec,
        weights: NetworkWeights,
        features: FeaturePass,
        fused: bool = True,
    ):
        self.ctx = ctx
        self.features = features
        layers = layers_of(spec, weights)
        self.stages = [StagePass(ctx, stage) for stage in (stages_of(layers) if fused else [[x] for x in layers])]

    def sized(self, size: tuple[int, int]) -> SizedFragmentBackend:
        """This backend with targets for G-buffers of ``size``. Scissors exclude border pixels that lack neighbours."""
        targets: list[list[moderngl.Framebuffer]] = []
        reach = 0
        for stage in self.stages:
            reach += stage.layers[0].spec.kernel // 2
            framebuffers = [self.ctx.framebuffer([color_target(self.ctx, size) for _ in g]) for g in stage.groups]
            for framebuffer in framebuffers:
                framebuffer.scissor = (reach, reach, size[0] - 2 * reach, size[1] - 2 * reach)
            targets.append(framebuffers)
        return SizedFragmentBackend(self, targets)


class SizedFragmentBackend:
    """A :class:`FragmentBackend` with its ``targets``: the framebuffers of each stage, one per group."""

    def __init__(self, backend: FragmentBackend, targets: list[list[moderngl.Framebuffer]]):
        self.backend = backend
        self.targets = targets

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the targets in bytes."""
        return bytes_of(*(target for group in self.targets for target in group))

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Look up features and run the network in the occupied tiles."""
        with timers.measure("features"):
            self.backend.features.render(frame)
        textures = colors(frame.inputs)
        for number, (stage, targets) in enumerate(zip(self.backend.stages, self.targets, strict=True), 1):
            with timers.measure(f"shading {number}"):
                stage.render(textures, frame.tiles, out=targets)
            textures = colors(*targets)
        return textures


def stage_source(layers: list[Layer]) -> str:
    """The GLSL fragment shader of one stage: a layer and the 1x1 layers after it."""
    declarations = [f"uniform sampler2D u_input{i};" for i in range(layers[0].spec.inputs // 4)]
    declarations += [f"layout(location = {i}) out vec4 o_{i};" for i in range(len(layers[-1].bias) // 4)]
    results, body = stage_body(layers)
    body += [f"    o_{i} = {result};" for i, result in enumerate(results)]
    text = source("network/shading.frag")
    return text.replace("DECLARATIONS", "\n".join(declarations)).replace("BODY", "\n".join(body))
