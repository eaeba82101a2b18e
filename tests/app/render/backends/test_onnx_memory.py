"""What goes between OpenGL and ONNX Runtime, and where it lies."""

from __future__ import annotations

from types import SimpleNamespace

import moderngl
import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.render.backends import onnx_memory
from duplex.app.render.backends.onnx import CUDA
from duplex.app.render.backends.onnx_memory import CudaMemory, HostMemory
from duplex.app.render.frame import FrameOptions
from duplex.app.render.gpu import color_target, colors
from duplex.app.render.renderer import Renderer
from duplex.app.render.timers import NO_TIMERS
from duplex.app.scene.bundle import Bundle


def test_pixels_go_through_the_programs_memory_unchanged(ctx: moderngl.Context) -> None:
    rng = np.random.default_rng(0)
    filled = [rng.standard_normal((9, 13, 4)).astype(np.float16) for _ in range(2)]
    textures = [color_target(ctx, (13, 9)) for _ in filled]
    for texture, values in zip(textures, filled, strict=True):
        texture.write(values.tobytes())
    memory, box = HostMemory(2, 2, 13 * 9), (3, 2, 5, 6)
    memory.read_inputs([ctx.framebuffer([texture]) for texture in textures], box)
    taken = memory.inputs[: 2 * 5 * 6 * 8].view(np.float16).reshape(2, 6, 5, 4)
    assert all(np.array_equal(a, b[2:8, 3:8]) for a, b in zip(taken, filled, strict=True))
    with memory.mapped() as (source, results):
        assert source == memory.inputs.ctypes.data and len(set(results)) == 2
    for i, output in enumerate(memory.outputs):
        output[: 5 * 6 * 8] = (taken[1 - i] * np.float16(2)).reshape(-1).view(np.uint8)
    memory.write_outputs(textures, box)
    for i, texture in enumerate(textures):
        expected = filled[i].copy()
        expected[2:8, 3:8] = filled[1 - i][2:8, 3:8] * np.float16(2)
        assert np.array_equal(np.frombuffer(texture.read(), np.float16).reshape(9, 13, 4), expected)


def test_without_cuda_pictures_go_through_the_programs_memory(
    ctx: moderngl.Context, demo: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_memory, "CUDA_RUNTIMES", ("libcudart.so.none",))
    with pytest.raises(DuplexError, match=r"libcudart\.so\.none"):
        CudaMemory(ctx, 1, 1, 16)
    renderer = Renderer(ctx, demo, "onnx")
    renderer.backend.provider = CUDA  # as where CUDA runs the model but another card draws
    assert renderer.backend.sized((20, 20)).memory.device == "cpu"


def test_cuda_and_the_programs_memory_give_the_same_picture(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo, "onnx")
    if renderer.backend.provider != CUDA:
        pytest.skip("NO CUDA: pictures that never leave the graphics card are not tested")
    camera = demo.cameras[0].resized(120, 90)
    first = renderer.image(camera).astype(int)
    assert renderer._targets.at((120, 90)).backend.memory.device == "cuda"
    other = Renderer(ctx, demo, "onnx")
    other.backend._make_memory = HostMemory
    assert np.abs(other.image(camera).astype(int) - first).max() <= 1


def test_a_scene_that_only_just_enters_the_margin_draws(ctx: moderngl.Context, demo: Bundle) -> None:
    """802 columns with their margin are 50 tiles and two columns: less than the network's window is wide."""
    renderer = Renderer(ctx, demo, "onnx")
    camera = demo.cameras[0].resized(800, 40)
    targets = renderer._targets.at((800, 40))
    frame = renderer._draw_gbuffer(camera, targets, FrameOptions())
    targets.tiles.clear()
    tiles = np.zeros((targets.tiles.height, targets.tiles.width), np.uint8)
    tiles[:, -1] = 255
    colors(targets.tiles)[0].write(tiles.tobytes(), alignment=1)
    targets.backend.render(frame, NO_TIMERS)  # ONNX Runtime refuses a picture without pixels


def test_errors_of_onnx_runtime_are_one_sentence(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo, "onnx")

    def refused(binding: object) -> None:
        raise RuntimeError("CUDA failure 2: out of memory\nmore of it")

    _, binding = renderer.backend.session(0)
    renderer.backend.session = lambda levels: (SimpleNamespace(run_with_iobinding=refused), binding)
    with pytest.raises(DuplexError, match=r"ONNX Runtime refuses it \(CUDA failure 2: out of memory\): try another"):
        renderer.draw(demo.cameras[0].resized(40, 40))
