"""The shading network as fragment shaders: one pass a layer, weights unrolled into the source as constants."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.camera import Array
from duplex.app.gpu import color_target
from duplex.app.network import ConvLayer, NetworkSpec, NetworkWeights
from duplex.shaders import source

TARGETS_PER_DRAW = 4


class LayerPass:
    """One convolution: reads and writes textures of four channels each; each output group is one draw."""

    def __init__(self, ctx: moderngl.Context, layer: ConvLayer, weight: Array, bias: Array):
        self.ctx, self.layer = ctx, layer
        self.groups = [
            range(i, min(i + TARGETS_PER_DRAW, layer.outputs // 4))
            for i in range(0, layer.outputs // 4, TARGETS_PER_DRAW)
        ]
        self.draws = []
        for group in self.groups:
            channels = slice(4 * group.start, 4 * group.stop)
            program = ctx.program(
                vertex_shader=source("fullscreen.vert"),
                fragment_shader=layer_source(layer, weight[channels], bias[channels]),
            )
            for i in range(layer.inputs // 4):
                if f"u_input{i}" in program:  # the driver drops inputs whose weights are all 0
                    program[f"u_input{i}"] = i
            self.draws.append(ctx.vertex_array(program, []))

    def render(self, inputs: list[moderngl.Texture], *, out: list[moderngl.Framebuffer]) -> None:
        """Read ``inputs``, larger than ``out`` by kernel - 1 pixels a side length, and fill ``out``, one a group."""
        self.ctx.enable_only(moderngl.NOTHING)
        for i, texture in enumerate(inputs):
            texture.use(i)
        for draw, target in zip(self.draws, out, strict=True):
            target.use()
            draw.render(moderngl.TRIANGLES, vertices=3)


def layer_source(layer: ConvLayer, weight: Array, bias: Array) -> str:
    """The fragment shader of some output channels of a layer.

    ``weight``: (outputs, inputs, kernel, kernel), rows from the top as in torch; ``bias``: (outputs,).
    """
    targets = len(bias) // 4
    declarations = [f"uniform sampler2D u_input{i};" for i in range(layer.inputs // 4)]
    declarations += [f"layout(location = {i}) out vec4 o_{i};" for i in range(targets)]
    body = [f"    vec4 a{i} = {_vec4(bias[4 * i : 4 * i + 4])};" for i in range(targets)]
    for row in range(layer.kernel):
        for column in range(layer.kernel):
            below = layer.kernel - 1 - row  # OpenGL counts rows from the bottom
            for i in range(layer.inputs // 4):
                blocks = weight[:, 4 * i : 4 * i + 4, row, column].reshape(targets, 4, 4)
                if not blocks.any():
                    continue
                body.append(f"    x = texelFetch(u_input{i}, pixel + ivec2({column}, {below}), 0);")
                body += [f"    a{j} += {_mat4(block)} * x;" for j, block in enumerate(blocks)]
    activation = {"relu": "max(a{0}, 0.0)", "sigmoid": "1.0 / (1.0 + exp(-a{0}))", "none": "a{0}"}[layer.activation]
    body += [f"    o_{j} = {activation.format(j)};" for j in range(targets)]
    text = source("shading.frag")
    return text.replace("DECLARATIONS", "\n".join(declarations)).replace("BODY", "\n".join(body))


def _mat4(block: Array) -> str:
    """A GLSL mat4 that maps 4 inputs to 4 outputs; ``block`` is (outputs, inputs), GLSL wants columns."""
    return "mat4(" + ", ".join(_number(x) for x in block.T.reshape(-1)) + ")"


def _vec4(values: Array) -> str:
    return "vec4(" + ", ".join(_number(x) for x in values) + ")"


def _number(x: float) -> str:
    text = f"{np.float32(x):.8g}"
    return text if "." in text or "e" in text else text + ".0"


class ShadingPasses:
    """The whole network: a :class:`LayerPass` for each layer and the targets between them."""

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, weights: NetworkWeights):
        self.ctx, self.spec = ctx, spec
        self.layers = [
            LayerPass(ctx, *parts) for parts in zip(spec.layers, weights.weights, weights.biases, strict=True)
        ]

    def targets(self, size: tuple[int, int]) -> list[list[moderngl.Framebuffer]]:
        """Half-float framebuffers of each layer's draws for a G-buffer of ``size``, margin included."""
        width, height = size
        out = []
        for layer_pass in self.layers:
            shrink = layer_pass.layer.kernel - 1
            width, height = width - shrink, height - shrink
            out.append(
                [
                    self.ctx.framebuffer([color_target(self.ctx, (width, height)) for _ in group])
                    for group in layer_pass.groups
                ]
            )
        return out
