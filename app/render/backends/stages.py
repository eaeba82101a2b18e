"""The shading network as stages, and the GLSL code of a stage with the weights as constants.

A stage is a layer and the 1x1 layers after it. Those read no neighbouring pixels, so one shader evaluates all of them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.network import ConvLayer, NetworkSpec, NetworkWeights

TARGETS_PER_DRAW = 8  # number of draw buffers that OpenGL 3.3 guarantees
TEXTURE_UNITS = 16  # of one shader stage that OpenGL 3.3 guarantees
ACTIVATIONS = {"relu": "max(a{0}, 0.0)", "sigmoid": "1.0 / (1.0 + exp(-a{0}))", "none": "a{0}"}


@dataclass(frozen=True)
class Layer:
    """A layer with its ``weight`` (outputs, inputs, kernel, kernel), top row first, and ``bias`` (outputs,)."""

    spec: ConvLayer
    weight: Array
    bias: Array

    def outputs(self, channels: slice) -> Layer:
        """The part of the layer that computes the output ``channels``."""
        return Layer(self.spec, self.weight[channels], self.bias[channels])


def layers_of(spec: NetworkSpec, weights: NetworkWeights) -> list[Layer]:
    """The layers of ``spec`` with their weights."""
    return [Layer(*parts) for parts in zip(spec.layers, weights.weights, weights.biases, strict=True)]


def stages_of(layers: list[Layer], scaled: bool = False) -> list[list[Layer]]:
    """Group layers into stages. A 1x1 layer joins the stage before it if one draw can write its output channels.

    ``scaled``: whether the first layer reads the feature pyramid, whose textures must then fit into one draw.
    """
    stages: list[list[Layer]] = []
    for layer in layers:
        alone = scaled and len(stages) == 1 and len(stages[0][0].bias) // 4 > pyramid_textures(stages[0][0])
        if stages and layer.spec.kernel == 1 and layer.spec.outputs <= 4 * TARGETS_PER_DRAW and not alone:
            stages[-1].append(layer)
        else:
            stages.append([layer])
    return stages


def pyramid_textures(first: Layer) -> int:
    """How many ring textures of the feature pyramid fit into a draw beside the hits and the inputs of ``first``."""
    return TEXTURE_UNITS - 1 - first.spec.inputs // 4


def groups_of(layers: list[Layer], scaled: bool = False) -> list[tuple[range, list[Layer]]]:
    """Split the output textures of a stage into groups that one draw can write.

    Returns the texture indices of each group and the layers that compute only those outputs. ``scaled``: whether the
    stage reads the feature pyramid.
    """
    targets = len(layers[-1].bias) // 4
    most = TARGETS_PER_DRAW
    if scaled and len(layers) == 1:
        most = min(most, pyramid_textures(layers[0]))
    groups = [range(i, min(i + most, targets)) for i in range(0, targets, most)]
    return [(g, [*layers[:-1], layers[-1].outputs(slice(4 * g.start, 4 * g.stop))]) for g in groups]


def stage_body(layers: list[Layer]) -> tuple[list[str], list[str]]:
    """GLSL of a stage: one vec4 expression for each output texture, and the statements that must precede them.

    The statements read the samplers ``u_input<i>`` around ``ivec2 pixel`` and use a variable ``vec4 x``.
    """
    first = layers[0]
    reach = first.spec.kernel // 2
    body = _begin(0, first)
    for row in range(first.spec.kernel):
        for column in range(first.spec.kernel):
            body += _tap(first, row, column, f"pixel + ivec2({column - reach}, {reach - row})")
    return _after_first(layers, body)


def scaled_stage_body(layers: list[Layer], with_neighbours: bool) -> tuple[list[str], list[str]]:
    """As :func:`stage_body`, for a first layer that takes the pixel's neighbours from the feature pyramid.

    ``with_neighbours``: whether some pixels may be on level 0, where their neighbours are the neighbouring pixels.
    The statements also read the samplers ``u_ring<i>`` and use what ``include/pyramid_level.glsl`` declares, and
    ``float coverage`` of the pixel, which is not 0.
    """
    first = layers[0]
    rings = range(len(first.bias) // 4)
    body = ["    float level = pyramid_level(coverage);", *_begin(0, first), *_tap(first, 1, 1, "pixel")]
    if with_neighbours:
        body += ["    if (level < 1.0) {", "        float share = 1.0 - level;"]
        for row in range(3):
            for column in range(3):
                if (row, column) != (1, 1):
                    body += _tap(first, row, column, f"pixel + ivec2({column - 1}, {1 - row})", "share * ")
        body.append("    }")
    body += ["    if (level > 0.0) {", "        int low = max(int(level), 1);"]
    body += ["        vec2 place = ring_place(pixel, low);", "        float share = 1.0 - abs(level - float(low));"]
    body += [f"        a0_{i} += share * textureLod(u_ring{i}, place, 0.0);" for i in rings]
    body += ["        if (level > float(low)) {", "            place = ring_place(pixel, low + 1);"]
    body += [f"            a0_{i} += (1.0 - share) * textureLod(u_ring{i}, place, 0.0);" for i in rings]
    body += ["        }", "    }"]
    return _after_first(layers, body)


def input_declarations(layers: list[Layer], scaled: bool) -> list[str]:
    """GLSL declarations of the textures that a stage reads."""
    declarations = [f"uniform sampler2D u_input{i};" for i in range(layers[0].spec.inputs // 4)]
    if scaled:
        declarations += [f"uniform sampler2D u_ring{i};" for i in range(len(layers[0].bias) // 4)]
    return declarations


def filled(text: str, declarations: list[str], body: list[str]) -> str:
    """The shader ``text`` with its two parts in capitals inserted."""
    for name, lines in (("DECLARATIONS", declarations), ("BODY", body)):
        text = text.replace(f"\n{name}\n", "\n" + "\n".join(lines) + "\n")
    return text


def _after_first(layers: list[Layer], body: list[str]) -> tuple[list[str], list[str]]:
    """Expressions of the last layer's outputs, and ``body`` with the 1x1 layers after the first one."""
    for number, (before, layer) in enumerate(itertools.pairwise(layers), 1):
        body += _begin(number, layer)
        for i, value in enumerate(_results(number - 1, before)):
            body += product_lines(number, layer.weight[:, 4 * i : 4 * i + 4, 0, 0], value)
    return _results(len(layers) - 1, layers[-1]), body


def _tap(first: Layer, row: int, column: int, place: str, factor: str = "") -> list[str]:
    """Statements that add one tap of the ``first`` layer, which reads the inputs at ``place``."""
    lines = []
    for i in range(first.spec.inputs // 4):
        weight = first.weight[:, 4 * i : 4 * i + 4, row, column]
        lines += product_lines(0, weight, f"{factor}texelFetch(u_input{i}, {place}, 0)")
    return lines


def _results(number: int, layer: Layer) -> list[str]:
    """Expressions of the activated outputs of layer ``number``, 4 channels each."""
    return [ACTIVATIONS[layer.spec.activation].format(f"{number}_{j}") for j in range(len(layer.bias) // 4)]


def _begin(number: int, layer: Layer) -> list[str]:
    """Declarations of the accumulators of layer ``number``, which start with the bias."""
    return [f"    vec4 a{number}_{j} = {_vec4(layer.bias[4 * j : 4 * j + 4])};" for j in range(len(layer.bias) // 4)]


def product_lines(number: int, weight: Array, value: str) -> list[str]:
    """Statements that add ``weight`` (outputs, 4) times the vec4 ``value`` to layer ``number``; none if all are 0."""
    if not weight.any():
        return []
    blocks = weight.reshape(-1, 4, 4)
    return [f"    x = {value};", *(f"    a{number}_{j} += {_mat4(block)} * x;" for j, block in enumerate(blocks))]


def _mat4(block: Array) -> str:
    """A GLSL mat4, which is column-major, from ``block`` (4 outputs, 4 inputs)."""
    return "mat4(" + ", ".join(_number(x) for x in block.T.reshape(-1)) + ")"


def _vec4(values: Array) -> str:
    return "vec4(" + ", ".join(_number(x) for x in values) + ")"


def _number(x: float) -> str:
    text = f"{np.float32(x):.8g}"
    return text if "." in text or "e" in text else text + ".0"
