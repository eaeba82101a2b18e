"""The fragment backend: the shading network as fragment shaders, which run on every OpenGL 3.3 driver."""

from __future__ import annotations

import moderngl

from duplex.app.render.backends.pyramid import DEFINES, FeaturePyramid, SizedPyramid, TapSource
from duplex.app.render.backends.stage_programs import StagePrograms, prepare, stage_source
from duplex.app.render.backends.stages import Layer, layers_of, stages_of
from duplex.app.render.frame import Frame
from duplex.app.render.gpu import bytes_of, color_target, colors
from duplex.app.render.passes.features import FeaturePass
from duplex.app.render.passes.tiles import TileProgram
from duplex.app.render.timers import Timers
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.shaders import source


class StagePass:
    """One stage of the network. It reads and writes textures of 4 channels, with one draw for each group of targets."""

    def __init__(self, ctx: moderngl.Context, layers: list[Layer], pyramid: FeaturePyramid | None = None):
        self.ctx = ctx
        self.layers = layers
        self.pyramid = pyramid
        self.programs = StagePrograms(layers, pyramid, self._draw)
        self.groups = self.programs.groups

    def _draw(self, part: list[Layer], taps: TapSource) -> TileProgram:
        draw = TileProgram(self.ctx, fragment_source(part, taps))
        prepare(draw.program, part, self.pyramid)
        return draw

    def render(
        self,
        inputs: list[moderngl.Texture],
        frame: Frame,
        pyramid: SizedPyramid | None,
        *,
        out: list[moderngl.Framebuffer],
    ) -> None:
        """Fill the occupied tiles of ``out``: one framebuffer per group, all of the size of ``inputs``."""
        self.ctx.enable_only(moderngl.NOTHING)
        for i, texture in enumerate(inputs):
            texture.use(i)
        taps = self.programs.taps(frame)
        for draw, rings, target in zip(self.programs.reading(taps), self.programs.rings, out, strict=True):
            if pyramid and taps is not TapSource.NEIGHBOURS:
                pyramid.bind(draw.program, frame, len(inputs), rings)
            target.use()
            draw.render(frame.tiles, target.size)


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
        self.pyramid = FeaturePyramid(ctx, spec, layers[0]) if spec.scaled else None
        stages = stages_of(layers, spec.scaled) if fused else [[layer] for layer in layers]
        self.stages = [StagePass(ctx, stage, None if i else self.pyramid) for i, stage in enumerate(stages)]

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
        return SizedFragmentBackend(self, targets, self.pyramid.sized(size) if self.pyramid else None)


class SizedFragmentBackend:
    """A :class:`FragmentBackend` with its ``targets``: the framebuffers of each stage, one per group."""

    def __init__(
        self, backend: FragmentBackend, targets: list[list[moderngl.Framebuffer]], pyramid: SizedPyramid | None
    ):
        self.backend = backend
        self.targets = targets
        self.pyramid = pyramid

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the targets in bytes."""
        own = bytes_of(*(target for group in self.targets for target in group))
        return own + (self.pyramid.gpu_bytes if self.pyramid else 0)

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Look up features and run the network in the occupied tiles."""
        with timers.measure("features"):
            self.backend.features.render(frame)
        if self.pyramid:
            with timers.measure("pyramid"):
                self.pyramid.render(frame)
        textures = colors(frame.inputs)
        for number, (stage, targets) in enumerate(zip(self.backend.stages, self.targets, strict=True), 1):
            with timers.measure(f"shading {number}"):
                stage.render(textures, frame, None if number > 1 else self.pyramid, out=targets)
            textures = colors(*targets)
        return textures


def fragment_source(layers: list[Layer], taps: TapSource = TapSource.NEIGHBOURS) -> str:
    """The GLSL fragment shader of one stage: a layer and the 1x1 layers after it."""
    text = source("network/shading.frag", scaled=int(taps is not TapSource.NEIGHBOURS), **DEFINES)
    return stage_source(text, layers, taps, "layout(location = {i}) out vec4 o_{i};", "o_{i} = {value};")
