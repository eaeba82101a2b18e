"""The shading network as an ONNX model. It imports the package onnx, which only the ONNX backend and the bake need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from duplex.app.core.arrays import Array
from duplex.app.scene.network import MAX_LEVEL, TAP_SPACING, NetworkSpec, NetworkWeights

OPSET = 17
IR_VERSION = 9


def network_to_onnx(spec: NetworkSpec, weights: NetworkWeights) -> bytes:
    """The ONNX model of a bundle: ``inputs`` (1, c, h + 2 m, w + 2 m) to straight ``rgba`` (1, 4, s h, s w).

    A network with a reference view also takes ``scale`` (1, 1, h, w), see :mod:`duplex.app.scene.network_in_numpy`.
    """
    inputs = [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, [1, spec.inputs, "height", "width"])]
    if spec.scaled:
        inputs.append(helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1, 1, "inner_height", "inner_width"]))
    graph = _Graph()
    _add_layers(graph, spec, weights, "inputs", PyramidPart("scale", MAX_LEVEL, top_first=True))
    blocks = spec.channels_to_space
    if blocks > 1:
        # DepthToSpace in DCR mode reads channels as (row, column, channel), which is this project's order
        graph.add("DepthToSpace", ["shaded"], "rgba", blocksize=blocks, mode="DCR")
    else:
        graph.add("Identity", ["shaded"], "rgba")
    rgba = helper.make_tensor_value_info("rgba", TensorProto.FLOAT, [1, 4, "rgba_height", "rgba_width"])
    return _model(graph, inputs, [rgba])


def textures_to_onnx(spec: NetworkSpec, weights: NetworkWeights, levels: int = 0) -> bytes:
    """The ONNX model on the memory layout of OpenGL textures: float16, 4 channels, bottom row first.

    ``textures`` (c / 4, h + 2 m, w + 2 m, 4) to ``shaded0``, ``shaded1``, ..., each (1, h, w, 4): one for each pixel of
    a ``channels_to_space`` block. A network with a reference view reads one more texture, the hits of the outer shell;
    ``levels``: of the feature pyramid that it builds then.
    """
    blocks = spec.channels_to_space**2
    textures = spec.inputs // 4 + int(spec.scaled)
    flipped = NetworkWeights(tuple(weight[:, :, ::-1] for weight in weights.weights), weights.biases)
    graph = _Graph()
    graph.add("Transpose", ["textures"], "halves", perm=[0, 3, 1, 2])
    graph.add("Reshape", ["halves", graph.constant([1, 4 * textures, 0, 0])], "half_planes")
    graph.add("Cast", ["half_planes"], "planes", to=TensorProto.FLOAT)
    if spec.scaled:
        edge = spec.margin
        graph.slice("planes", "channels", 0, spec.inputs, axis=1)
        graph.slice("planes", "coverage", 4 * textures - 1, 4 * textures, axis=1)
        graph.inside("coverage", "stored", edge)
        graph.add("Sub", [graph.constant(1.0), "stored"], "rest")
        graph.add("Max", ["rest", graph.constant(1e-5)], "divisor")
        graph.add("Div", ["stored", "divisor"], "scale")
    _add_layers(graph, spec, flipped, "channels" if spec.scaled else "planes", PyramidPart("scale", levels, False))
    graph.add("Reshape", ["shaded", graph.constant([blocks, 4, 0, 0])], "blocks")
    graph.add("Cast", ["blocks"], "half_blocks", to=TensorProto.FLOAT16)
    names = [f"shaded{i}" for i in range(blocks)]
    graph.add("Transpose", ["half_blocks"], "pixels" if blocks > 1 else names[0], perm=[0, 2, 3, 1])
    if blocks > 1:
        graph.nodes.append(helper.make_node("Split", ["pixels"], names, axis=0))
    half = TensorProto.FLOAT16
    value = helper.make_tensor_value_info("textures", half, [textures, "height", "width", 4])
    outputs = [helper.make_tensor_value_info(name, half, [1, "shaded_height", "shaded_width", 4]) for name in names]
    return _model(graph, [value], outputs)


@dataclass(frozen=True)
class PyramidPart:
    """The feature pyramid in a model: the value ``scale``, how many ``levels``, and whether rows begin at the top."""

    scale: str
    levels: int
    top_first: bool


class _Graph:
    """Nodes and constants of a model under construction."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: ArrayLike, name: str = "") -> str:
        """The name of a constant: float32, or int64 for whole numbers."""
        array = np.ascontiguousarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        name = name or f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def slice(self, value: str, output: str, begin: int, end: int, axis: int) -> str:
        bounds = [self.constant([number]) for number in (begin, end, axis)]
        return self.add("Slice", [value, *bounds], output)

    def inside(self, value: str, output: str, edge: int) -> str:
        """``value`` without ``edge`` rows and columns on each side."""
        if not edge:
            return self.add("Identity", [value], output)
        bounds = [self.constant([number] * 2) for number in (edge, -edge)]
        return self.add("Slice", [value, *bounds, self.constant([2, 3])], output)


def _add_layers(graph: _Graph, spec: NetworkSpec, weights: NetworkWeights, current: str, pyramid: PyramidPart) -> None:
    """Nodes from the value ``current`` to ``shaded``, (1, channels, height, width) float32."""
    for i, (layer, weight, bias) in enumerate(zip(spec.layers, weights.weights, weights.biases, strict=True)):
        if i == 0 and spec.scaled:
            current = _add_scaled_convolution(graph, spec, weight, bias, current, pyramid)
        else:
            names = [graph.constant(weight, f"weight{i}"), graph.constant(bias, f"bias{i}")]
            current = graph.add("Conv", [current, *names], f"conv{i}", kernel_shape=[layer.kernel, layer.kernel])
        if layer.activation != "none":
            current = graph.add(layer.activation.capitalize(), [current], f"active{i}")
    graph.add("Identity", [current], "shaded")


def _add_scaled_convolution(
    graph: _Graph, spec: NetworkSpec, weight: Array, bias: Array, current: str, pyramid: PyramidPart
) -> str:
    """The first layer with neighbours from the feature pyramid, as in :mod:`duplex.app.scene.network_in_numpy`."""
    taps = weight[:, : spec.neighbour_inputs].copy()
    taps[:, :, 1, 1] = 0
    neighbours = graph.constant(taps, "neighbours")
    graph.inside(current, "middle", 1)
    centre = graph.constant(weight[:, :, 1:2, 1:2], "centre")
    total = graph.add("Conv", ["middle", centre, graph.constant(bias, "bias0")], "centred", kernel_shape=[1, 1])
    graph.add("Mul", [pyramid.scale, graph.constant(TAP_SPACING)], "spacing")
    limits = [graph.constant(1.0), graph.constant(float(1 << pyramid.levels))]
    graph.add("Clip", ["spacing", *limits], "clipped")
    graph.add("Log", ["clipped"], "logarithm")
    graph.add("Mul", ["logarithm", graph.constant(1 / math.log(2))], "level")
    graph.slice(current, "level0", 0, spec.neighbour_inputs, axis=1)
    graph.add("Conv", ["level0", neighbours], "taps0", kernel_shape=[3, 3])
    total = _add_share(graph, total, "taps0", 0)
    mean = _add_padding(graph, "level0", pyramid) if pyramid.levels else ""
    for k in range(1, pyramid.levels + 1):
        mean = graph.add("AveragePool", [mean], f"level{k}", kernel_shape=[2, 2], strides=[2, 2])
        framed = graph.add("Pad", [mean, graph.constant([0, 0, 1, 1, 0, 0, 1, 1])], f"framed{k}", mode="edge")
        graph.add("Conv", [framed, neighbours], f"sums{k}", kernel_shape=[3, 3])
        scales = graph.constant([1.0, 1.0, float(1 << k), float(1 << k)])
        graph.add("Resize", [f"sums{k}", "", scales], f"large{k}", mode="linear")
        graph.add("Slice", [f"large{k}", "begin", "end", graph.constant([2, 3])], f"whole{k}")
        total = _add_share(graph, total, graph.inside(f"whole{k}", f"taps{k}", 1), k)
    return total


def _add_share(graph: _Graph, total: str, taps: str, k: int) -> str:
    """``total`` plus level ``k``'s share of ``taps``: 1 where the pixel's level is ``k``, 0 a level away."""
    graph.add("Sub", ["level", graph.constant(float(k))], f"offset{k}")
    graph.add("Abs", [f"offset{k}"], f"away{k}")
    graph.add("Sub", [graph.constant(1.0), f"away{k}"], f"near{k}")
    graph.add("Relu", [f"near{k}"], f"share{k}")
    graph.add("Mul", [taps, f"share{k}"], f"part{k}")
    return graph.add("Add", [total, f"part{k}"], f"total{k}")


def _add_padding(graph: _Graph, value: str, pyramid: PyramidPart) -> str:
    """``value`` with its edge repeated to whole texels of the last level; ``begin``, ``end``: where it lies in it."""
    block = 1 << pyramid.levels
    graph.add("Shape", [value], "shape")
    graph.slice("shape", "size", 2, 4, axis=0)
    graph.add("Mod", ["size", graph.constant([block, block])], "over")
    graph.add("Sub", [graph.constant([block, block]), "over"], "missing")
    graph.add("Mod", ["missing", graph.constant([block, block])], "added")
    none = graph.constant([0, 0])
    first, last = graph.constant([1, 0]), graph.constant([0, 1])
    if pyramid.top_first:  # the pyramid begins at the bottom: rows are added above, columns on the right
        graph.add("Mul", ["added", first], "begin")
        graph.add("Mul", ["added", last], "after")
    else:
        graph.add("Identity", [none], "begin")
        graph.add("Identity", ["added"], "after")
    graph.add("Add", ["begin", "size"], "end")
    graph.add("Concat", [none, "begin", none, "after"], "pads", axis=0)
    return graph.add("Pad", [value, "pads"], "padded", mode="edge")


def _model(graph: _Graph, inputs: Sequence[Any], outputs: Sequence[Any]) -> bytes:
    whole = helper.make_graph(graph.nodes, "shading", inputs, outputs, graph.constants)
    model = helper.make_model(
        whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="duplex"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
