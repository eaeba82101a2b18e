"""The backend that every OpenGL 3.3 runs: the shading network as fragment shaders, one draw for each stage."""

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
    """One stage of the network, from textures of four channels each to others; each group of targets is one draw."""

    def __init__(self, ctx: moderngl.Context, layers: list[Layer]):
        self.ctx = ctx
        self.layers = layers
        self.groups: list[range] = []
        self.draws: list[TileProgram] = []
        for group, part in groups_of(layers):
            draw = TileProgram(ctx, stage_source(part))
            for i in range(layers[0].spec.inputs // 4):
                if f"u_input{i}" in draw.program:  # the driver drops inputs whose weights are all 0
                    draw.program[f"u_input{i}"] = i
            self.groups.append(group)
            self.draws.append(draw)

    def render(
        self, inputs: list[moderngl.Texture], tiles: moderngl.Texture, *, out: list[moderngl.Framebuffer]
    ) -> None:
        """Read ``inputs`` and fill the occupied ``tiles`` of ``out``, one framebuffer a group, all of one size."""
        self.ctx.enable_only(moderngl.NOTHING)
        for i, texture in enumerate(inputs):
            texture.use(i)
        for draw, target in zip(self.draws, out, strict=True):
            target.use()
            draw.render(tiles, target.size)


class FragmentBackend:
    """One draw for each stage of the network, with half-float targets between them.

    ``fused``: when False each layer is a stage of its own, and the targets hold what each layer gives.
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
        """This backend with targets for frames of ``size``; the border that has no neighbours is left alone."""
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
    """A :class:`FragmentBackend` with ``targets``: for each stage its framebuffers, one a group."""

    def __init__(self, backend: FragmentBackend, targets: list[list[moderngl.Framebuffer]]):
        self.backend = backend
        self.targets = targets

    @property
    def gpu_bytes(self) -> int:
        """Bytes that the targets take on the GPU."""
        return bytes_of(*(target for group in self.targets for target in group))

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Look the features up and shade the occupied tiles."""
        with timers.measure("features"):
            self.backend.features.render(frame)
        textures = colors(frame.inputs)
        for number, (stage, targets) in enumerate(zip(self.backend.stages, self.targets, strict=True), 1):
            with timers.measure(f"shading {number}"):
                stage.render(textures, frame.tiles, out=targets)
            textures = colors(*targets)
        return textures


def stage_source(layers: list[Layer]) -> str:
    """The fragment shader of a layer and of the 1x1 layers behind it."""
    declarations = [f"uniform sampler2D u_input{i};" for i in range(layers[0].spec.inputs // 4)]
    declarations += [f"layout(location = {i}) out vec4 o_{i};" for i in range(len(layers[-1].bias) // 4)]
    results, body = stage_body(layers)
    body += [f"    o_{i} = {result};" for i, result in enumerate(results)]
    text = source("network/shading.frag")
    return text.replace("DECLARATIONS", "\n".join(declarations)).replace("BODY", "\n".join(body))
