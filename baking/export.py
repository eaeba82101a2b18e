"""From the trained student to a bundle: 8-bit textures, the network as ONNX, cameras, thumbnail."""

from __future__ import annotations

import io

import moderngl
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from duplex.app.bundle import Bundle, BundleShell
from duplex.app.camera import Array
from duplex.app.network import NetworkSpec, NetworkWeights
from duplex.app.renderer import Renderer
from duplex.baking.distill import Student
from duplex.baking.features import FeatureTexture
from duplex.baking.shells import Shell

THUMBNAIL = (320, 240)
OPSET, IR_VERSION = 17, 9


def export_shell(shell: Shell, texture: FeatureTexture) -> BundleShell:
    """A shell with its learned texture, in textures of four channels."""
    texels = texture.export().numpy()
    side, channels = texels.shape[0], texels.shape[2]
    planes = texels.reshape(side, side, channels // 4, 4).transpose(2, 0, 1, 3)
    return BundleShell(
        shell.positions,
        shell.unit_uvs(),
        shell.faces,
        np.ascontiguousarray(planes),
        scale=np.full(channels, 2, np.float32),
        offset=np.full(channels, -1, np.float32),
    )


def export_student(student: Student, shells: tuple[Shell, Shell]) -> Bundle:
    """A bundle of geometry, features and network; the pipeline adds what it knows of the scene."""
    outer, inner = (export_shell(s, t) for s, t in zip(shells, student.textures, strict=True))
    weights = student.network.exported()
    return Bundle(outer, inner, student.network.spec, weights, onnx=network_to_onnx(student.network.spec, weights))


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


def thumbnail(ctx: moderngl.Context, bundle: Bundle) -> bytes:
    """A small PNG of the bundle from its first camera."""
    renderer = Renderer(ctx, bundle)
    return png(renderer.image(bundle.cameras[0].resized(*THUMBNAIL)))


def png(image: Array) -> bytes:
    """An (h, w, 3 or 4) uint8 image as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
