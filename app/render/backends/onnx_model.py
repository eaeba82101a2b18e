"""The shading network as an ONNX model. It imports the package onnx, which only the ONNX backend and the bake need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from duplex.app.scene.network import NetworkSpec, NetworkWeights

OPSET = 17
IR_VERSION = 9


def network_to_onnx(spec: NetworkSpec, weights: NetworkWeights) -> bytes:
    """The ONNX model of a bundle: ``inputs`` (1, c, h + 2 m, w + 2 m) to straight ``rgba`` (1, 4, s h, s w)."""
    nodes, constants = _layers(spec, weights, "inputs")
    scale = spec.channels_to_space
    if scale > 1:
        # DepthToSpace in DCR mode reads channels as (row, column, channel), which is this project's order
        nodes.append(helper.make_node("DepthToSpace", ["shaded"], ["rgba"], blocksize=scale, mode="DCR"))
    else:
        nodes[-1].output[0] = "rgba"
    inputs = helper.make_tensor_value_info("inputs", TensorProto.FLOAT, [1, spec.inputs, "height", "width"])
    rgba = helper.make_tensor_value_info("rgba", TensorProto.FLOAT, [1, 4, "rgba_height", "rgba_width"])
    return _model(nodes, [inputs], [rgba], constants)


def textures_to_onnx(spec: NetworkSpec, weights: NetworkWeights) -> bytes:
    """The ONNX model on the memory layout of OpenGL textures: float16, 4 channels, bottom row first.

    ``textures`` (c / 4, h + 2 m, w + 2 m, 4) to ``shaded0``, ``shaded1``, ..., each (1, h, w, 4): one for each pixel of
    a ``channels_to_space`` block.
    """
    blocks = spec.channels_to_space**2
    flipped = NetworkWeights(tuple(weight[:, :, ::-1] for weight in weights.weights), weights.biases)
    nodes, constants = _layers(spec, flipped, "planes")
    constants += [
        numpy_helper.from_array(np.array([1, spec.inputs, 0, 0], np.int64), "as_planes"),
        numpy_helper.from_array(np.array([blocks, 4, 0, 0], np.int64), "as_blocks"),
    ]
    nodes = [
        helper.make_node("Transpose", ["textures"], ["halves"], perm=[0, 3, 1, 2]),
        helper.make_node("Reshape", ["halves", "as_planes"], ["half_planes"]),
        helper.make_node("Cast", ["half_planes"], ["planes"], to=TensorProto.FLOAT),
        *nodes,
        helper.make_node("Reshape", ["shaded", "as_blocks"], ["blocks"]),
        helper.make_node("Cast", ["blocks"], ["half_blocks"], to=TensorProto.FLOAT16),
        helper.make_node("Transpose", ["half_blocks"], ["pixels"], perm=[0, 2, 3, 1]),
    ]
    names = [f"shaded{i}" for i in range(blocks)]
    if blocks > 1:
        nodes.append(helper.make_node("Split", ["pixels"], names, axis=0))
    else:
        nodes[-1].output[0] = names[0]
    half = TensorProto.FLOAT16
    textures = helper.make_tensor_value_info("textures", half, [spec.inputs // 4, "height", "width", 4])
    outputs = [helper.make_tensor_value_info(name, half, [1, "shaded_height", "shaded_width", 4]) for name in names]
    return _model(nodes, [textures], outputs, constants)


def _layers(spec: NetworkSpec, weights: NetworkWeights, current: str) -> tuple[list[Any], list[Any]]:
    """Nodes from the value ``current`` to ``shaded``, (1, channels, height, width) float32, and their constants."""
    nodes = []
    constants = []
    for i, (layer, weight, bias) in enumerate(zip(spec.layers, weights.weights, weights.biases, strict=True)):
        constants += [
            numpy_helper.from_array(np.ascontiguousarray(weight), f"weight{i}"),
            numpy_helper.from_array(np.ascontiguousarray(bias), f"bias{i}"),
        ]
        nodes.append(
            helper.make_node(
                "Conv", [current, f"weight{i}", f"bias{i}"], [f"conv{i}"], kernel_shape=[layer.kernel, layer.kernel]
            )
        )
        current = f"conv{i}"
        if layer.activation != "none":
            nodes.append(helper.make_node(layer.activation.capitalize(), [current], [f"active{i}"]))
            current = f"active{i}"
    nodes[-1].output[0] = "shaded"
    return nodes, constants


def _model(nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], constants: Sequence[Any]) -> bytes:
    graph = helper.make_graph(nodes, "shading", inputs, outputs, constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="duplex"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
