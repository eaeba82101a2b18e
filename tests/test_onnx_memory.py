"""What goes between OpenGL and ONNX Runtime, and where it lies."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest

from duplex.app import onnx_memory
from duplex.app.bundle import Bundle
from duplex.app.errors import DuplexError
from duplex.app.gpu import color_target
from duplex.app.onnx_memory import CudaMemory, HostMemory
from duplex.app.onnx_shading import CUDA
from duplex.app.renderer import Renderer


def test_pixels_go_through_the_programs_memory_unchanged(ctx: moderngl.Context) -> None:
    rng = np.random.default_rng(0)
    filled = [rng.standard_normal((9, 13, 4)).astype(np.float16) for _ in range(2)]
    textures = [color_target(ctx, (13, 9)) for _ in filled]
    for texture, values in zip(textures, filled, strict=True):
        texture.write(values.tobytes())
    memory, box = HostMemory(2, 2, 13 * 9), (3, 2, 5, 6)
    memory.take(ctx.framebuffer(textures), box)
    taken = memory.inputs[: 2 * 5 * 6 * 8].view(np.float16).reshape(2, 6, 5, 4)
    assert all(np.array_equal(a, b[2:8, 3:8]) for a, b in zip(taken, filled, strict=True))
    with memory.mapped() as (source, results):
        assert source == memory.inputs.ctypes.data and len(set(results)) == 2
    for i, output in enumerate(memory.outputs):
        output[: 5 * 6 * 8] = (taken[1 - i] * np.float16(2)).reshape(-1).view(np.uint8)
    memory.give(textures, box)
    for i, texture in enumerate(textures):
        expected = filled[i].copy()
        expected[2:8, 3:8] = filled[1 - i][2:8, 3:8] * np.float16(2)
        assert np.array_equal(np.frombuffer(texture.read(), np.float16).reshape(9, 13, 4), expected)


def test_without_cuda_pictures_go_through_the_programs_memory(
    ctx: moderngl.Context, demo: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_memory, "RUNTIMES", ("libcudart.so.none",))
    with pytest.raises(DuplexError, match=r"libcudart\.so\.none"):
        CudaMemory(ctx, 1, 1, 16)
    renderer = Renderer(ctx, demo, "onnx")
    renderer.shading.provider = CUDA  # as where CUDA runs the model but another card draws
    assert renderer.shading.make_targets((20, 20)).memory.device == "cpu"


def test_cuda_and_the_programs_memory_give_the_same_picture(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo, "onnx")
    if renderer.shading.provider != CUDA:
        pytest.skip("NO CUDA: pictures that never leave the graphics card are not tested")
    camera = demo.cameras[0].resized(120, 90)
    first = renderer.image(camera).astype(int)
    assert renderer.targets_for((120, 90)).shaded.memory.device == "cuda"
    other = Renderer(ctx, demo, "onnx")
    other.shading._make_memory = HostMemory
    assert np.abs(other.image(camera).astype(int) - first).max() <= 1
