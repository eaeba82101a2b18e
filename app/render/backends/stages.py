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


def stages_of(layers: list[Layer]) -> list[list[Layer]]:
    """Group layers into stages. A 1x1 layer joins the stage before it if one draw can write its output channels."""
    stages: list[list[Layer]] = []
    for layer in layers:
        if stages and layer.spec.kernel == 1 and layer.spec.outputs <= 4 * TARGETS_PER_DRAW:
            stages[-1].append(layer)
        else:
            stages.append([layer])
    return stages


def groups_of(layers: list[Layer]) -> list[tuple[range, list[Layer]]]:
    """Split the output textures of a stage into groups that one draw can write.

    Returns the texture indices of each group and the layers that compute only those outputs.
    """
    targets = len(layers[-1].bias) // 4
    groups = [range(i, min(i + TARGETS_PER_DRAW, targets)) for i in range(0, targets, TARGETS_PER_DRAW)]
    return [(g, [*layers[:-1], layers[-1].outputs(slice(4 * g.start, 4 * g.stop))]) for g in groups]


def stage_body(layers: list[Layer]) -> tuple[list[str], list[str]]:
    """GLSL of a stage: one vec4 expression for each output texture, and the statements that must precede them.

    The statements read the samplers ``u_input<i>`` around ``ivec2 pixel`` and use a variable ``vec4 x``.
    """
    first = layers[0]
    body = _begin(0, first)
    reach = first.spec.kernel // 2
    for row in range(first.spec.kernel):
        for column in range(first.spec.kernel):
            step = f"ivec2({column - reach}, {reach - row})"  # OpenGL counts rows from the bottom
            for i in range(first.spec.inputs // 4):
                products = _products(0, first.weight[:, 4 * i : 4 * i + 4, row, column])
                if products:
                    body += [f"    x = texelFetch(u_input{i}, pixel + {step}, 0);", *products]
    for number, (before, layer) in enumerate(itertools.pairwise(layers), 1):
        body += _begin(number, layer)
        for i, value in enumerate(_results(number - 1, before)):
            body += [f"    x = {value};", *_products(number, layer.weight[:, 4 * i : 4 * i + 4, 0, 0])]
    return _results(len(layers) - 1, layers[-1]), body


def _results(number: int, layer: Layer) -> list[str]:
    """Expressions of the activated outputs of layer ``number``, 4 channels each."""
    return [ACTIVATIONS[layer.spec.activation].format(f"{number}_{j}") for j in range(len(layer.bias) // 4)]


def _begin(number: int, layer: Layer) -> list[str]:
    """Declarations of the accumulators of layer ``number``, which start with the bias."""
    return [f"    vec4 a{number}_{j} = {_vec4(layer.bias[4 * j : 4 * j + 4])};" for j in range(len(layer.bias) // 4)]


def _products(number: int, weight: Array) -> list[str]:
    """Statements that add ``weight`` (outputs, 4) times ``x`` to layer ``number``; none if all weights are 0."""
    blocks = weight.reshape(-1, 4, 4)
    return [f"    a{number}_{j} += {_mat4(block)} * x;" for j, block in enumerate(blocks)] if blocks.any() else []


def _mat4(block: Array) -> str:
    """A GLSL mat4, which is column-major, from ``block`` (4 outputs, 4 inputs)."""
    return "mat4(" + ", ".join(_number(x) for x in block.T.reshape(-1)) + ")"


def _vec4(values: Array) -> str:
    return "vec4(" + ", ".join(_number(x) for x in values) + ")"


def _number(x: float) -> str:
    text = f"{np.float32(x):.8g}"
    return text if "." in text or "e" in text else text + ".0"
