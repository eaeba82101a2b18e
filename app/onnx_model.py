"""The shading network as an ONNX model. Needs the package onnx, which a viewer has only for the backend onnx."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from duplex.app.network import NetworkSpec, NetworkWeights

OPSET, IR_VERSION = 17, 9


def network_to_onnx(spec: NetworkSpec, weights: NetworkWeights) -> bytes:
    """The network as an ONNX model: ``inputs`` (1, c, h + 2 m, w + 2 m) to ``rgba`` (1, 4, s h, s w), straight."""
    nodes, constants, current = [], [], "inputs"
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
    scale = spec.channels_to_space
    if scale > 1:
        # DepthToSpace in DCR mode reads channels as (row, column, channel), which is this project's order
        nodes.append(helper.make_node("DepthToSpace", [current], ["rgba"], blocksize=scale, mode="DCR"))
    else:
        nodes[-1].output[0] = "rgba"
    inputs = helper.make_tensor_value_info("inputs", TensorProto.FLOAT, [1, spec.inputs, "height", "width"])
    rgba = helper.make_tensor_value_info("rgba", TensorProto.FLOAT, [1, 4, "rgba_height", "rgba_width"])
    graph = helper.make_graph(nodes, "shading", [inputs], [rgba], constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="duplex"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
