"""The shading network exists three times: torch (baking), GLSL (viewer), ONNX (everybody else)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import moderngl
import numpy as np
import onnxruntime
import pytest
import torch

from builders.bundles import with_channels
from duplex.app.core.metrics import psnr
from duplex.app.render.backends.names import NAMES
from duplex.app.render.backends.onnx_model import network_to_onnx
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.readback import network_inputs
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.network import ConvLayer, NetworkSpec, NetworkWeights
from duplex.app.scene.network_in_numpy import pyramid_level
from duplex.baking.distill.shading import ShadingNetwork

SIZE = (130, 94)  # no multiple of anything, so that tiles and blocks are cut at the border


def pictures(
    ctx: moderngl.Context, bundle: Bundle, camera: int, backend: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The premultiplied RGBA picture in [0, 1] by a backend, torch and the bundle's ONNX, from one real G-buffer."""
    renderer = Renderer(ctx, bundle, backend)
    seen, options = bundle.cameras[camera].resized(*SIZE), FrameOptions(background=TRANSPARENT)
    drawn = renderer.image(seen, options).astype(np.float32) / 255
    inputs, pixel_scale = network_inputs(renderer.draw(seen, options), bundle.network.margin)
    network = ShadingNetwork(bundle.network).load(bundle.weights)
    level = torch.from_numpy(pyramid_level(pixel_scale))[None] if bundle.network.scaled else None
    with torch.no_grad():
        by_torch = network(torch.from_numpy(inputs)[None], level)[0].numpy()
    model = bundle.onnx or network_to_onnx(bundle.network, bundle.weights)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    known = {"inputs": inputs[None], "scale": pixel_scale[None, None]}
    given = {each.name: known[each.name] for each in session.get_inputs()}
    by_onnx = session.run(None, given)[0][0]
    scale = bundle.network.channels_to_space
    covered = (pixel_scale > 0).repeat(scale, 0).repeat(scale, 1)

    def finished(rgba: np.ndarray) -> np.ndarray:
        alpha = rgba[3] * covered
        whole = np.stack([*(rgba[:3] * alpha), alpha], -1)
        return whole[whole.shape[0] - SIZE[1] :, : SIZE[0]]  # blocks begin at the bottom left

    return drawn, finished(by_torch), finished(by_onnx)


def agree(a: np.ndarray, b: np.ndarray) -> None:
    assert np.abs(a - b).mean() < 1 / 255
    assert psnr(a, b) > 45


@pytest.mark.parametrize("backend", NAMES)
@pytest.mark.parametrize("camera", [0, 3])
def test_demo_network_agrees_in_torch_glsl_and_onnx(
    ctx: moderngl.Context, demo: Bundle, camera: int, backend: str
) -> None:
    drawn, by_torch, by_onnx = pictures(ctx, demo, camera, backend)
    assert (drawn[..., 3] > 0.5).mean() > 0.1  # there is something to compare
    agree(drawn, by_torch)
    agree(drawn, by_onnx)
    assert np.abs(by_torch - by_onnx).max() < 1e-4


SPECS = [
    NetworkSpec.shallow(8, 16, 2),
    NetworkSpec.shallow(8, 16, 4),
    NetworkSpec.shallow(8, 36),
    NetworkSpec(8, (ConvLayer(3, 24, 16, "relu"), ConvLayer(3, 16, 16, "relu"), ConvLayer(1, 16, 4, "sigmoid"))),
    NetworkSpec(8, (ConvLayer(3, 24, 48, "relu"), ConvLayer(3, 48, 4, "sigmoid"))),
    dataclasses.replace(NetworkSpec.shallow(8, 16), view_kernel=3),
    NetworkSpec(8, (ConvLayer(1, 24, 8, "none"), ConvLayer(3, 8, 4, "sigmoid"))),
    NetworkSpec(8, (ConvLayer(3, 24, 64, "relu"), ConvLayer(3, 64, 4, "sigmoid"))),
    NetworkSpec(8, (*(ConvLayer(3, a, 8, "relu") for a in (24, 8, 8)), ConvLayer(1, 8, 4, "sigmoid"))),
]
NEAR = ReferenceView((0.0, 0.0, 0.0), 4.0, 40.0)  # pixels of SIZE are about three times finer
SCALED = [
    dataclasses.replace(NetworkSpec.shallow(8, 16), reference=NEAR),
    dataclasses.replace(NetworkSpec.shallow(8, 64, 2), reference=NEAR),
    dataclasses.replace(NetworkSpec.shallow(8, 36), view_kernel=3, reference=NEAR),
    dataclasses.replace(NetworkSpec.shallow(8, 16), reference=dataclasses.replace(NEAR, focal=5.0)),
    NetworkSpec(8, (ConvLayer(3, 24, 4, "sigmoid"),), view_kernel=3, reference=NEAR),
]


@pytest.mark.system
@pytest.mark.parametrize(
    "spec",
    [*SPECS, *SCALED],
    ids=[
        *("half", "quarter", "wide", "two 3x3", "two groups", "view by 3x3", "narrow", "64 inputs", "deep"),
        *("pyramid", "wide pyramid of blocks", "pyramid of views", "high pyramid", "pyramid of one layer"),
    ],
)
@pytest.mark.parametrize("backend", NAMES)
def test_other_networks_agree_too(
    ctx: moderngl.Context,
    demo: Bundle,
    spec: NetworkSpec,
    backend: str,
    random_weights: Callable[[NetworkSpec], NetworkWeights],
) -> None:
    weights = random_weights(spec)
    base = with_channels(demo, spec.feature_channels)
    bundle = dataclasses.replace(base, network=spec, weights=weights, onnx=network_to_onnx(spec, weights))
    drawn, by_torch, by_onnx = pictures(ctx, bundle, 0, backend)
    assert by_torch.std() > 0.05
    agree(drawn, by_torch)
    agree(drawn, by_onnx)
