"""The shading network by ONNX Runtime: with CUDA where that is there, else on the CPU.

The model is made anew from the network's description: one from a file could ask ONNX Runtime for anything.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.render.backends.factory import Frame
from duplex.app.render.backends.onnx_memory import Box, CudaMemory, HostMemory, SharedMemory
from duplex.app.render.gpu import Timers, bytes_of, color_target
from duplex.app.render.passes.features import FeaturePass
from duplex.app.render.passes.tiles import TILE
from duplex.app.scene.network import NetworkSpec, NetworkWeights

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_SETTINGS = {"cudnn_conv_algo_search": "HEURISTIC"}  # trying them all out takes seconds


@dataclass(frozen=True)
class OnnxTargets:
    """``textures``: for the result; ``memory``: for a whole picture; ``occupied``: the tiles."""

    textures: list[moderngl.Texture]
    memory: SharedMemory
    occupied: Array


class OnnxShading:
    """Hands the inputs' textures to the model and its results to textures.

    With CUDA all of it stays on the graphics card; on the CPU the model sees no more than the tiles that are occupied.
    :attr:`provider`: what runs the model. Raises :class:`DuplexError` where ONNX Runtime is missing or refuses it.
    """

    name = "onnx"

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, weights: NetworkWeights, features: FeaturePass):
        self.ctx, self.spec, self.features = ctx, spec, features
        self.session = _session(spec, weights, "nvidia" in str(ctx.info.get("GL_VENDOR", "")).lower())
        self.provider = str(self.session.get_providers()[0])
        self.binding = self.session.io_binding()

    def make_targets(self, size: tuple[int, int]) -> OnnxTargets:
        """Half-float targets for inputs of ``size``, and memory for what goes to the model and comes back."""
        blocks, pixels = self.spec.channels_to_space**2, size[0] * size[1]
        return OnnxTargets(
            [color_target(self.ctx, size) for _ in range(blocks)],
            self._make_memory(self.spec.inputs // 4, blocks, pixels),
            np.zeros(-(-size[0] // TILE) * -(-size[1] // TILE), np.uint8),
        )

    def _make_memory(self, inputs: int, outputs: int, pixels: int) -> SharedMemory:
        if self.provider == CUDA:
            try:
                return CudaMemory(self.ctx, inputs, outputs, pixels)
            except DuplexError:  # another card draws: pictures then go through the program's memory
                pass
        return HostMemory(inputs, outputs, pixels)

    def gpu_bytes(self, targets: OnnxTargets) -> int:
        """What ``targets`` take."""
        return bytes_of(*targets.textures, *getattr(targets.memory, "buffers", ()))

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Shade the occupied tiles' rectangle; straight RGBA, a texture of half floats for each pixel of a block."""
        with timers.measure("features"):
            self.features.render(frame)
        with timers.measure("shading 1"):
            targets: OnnxTargets = frame.shaded
            on_card = targets.memory.device == "cuda"  # where asking for the tiles costs more than it saves
            whole = (0, 0, *frame.inputs.size)
            box = whole if on_card else _occupied_box(frame, targets, self.spec.margin)
            if box is not None:
                self._run(frame.inputs, targets, box)
        return targets.textures

    def _run(self, inputs: moderngl.Framebuffer, targets: OnnxTargets, box: Box) -> None:
        left, bottom, width, height = box
        memory, margin, device = targets.memory, self.spec.margin, targets.memory.device
        inside = (left + margin, bottom + margin, width - 2 * margin, height - 2 * margin)
        memory.take(inputs, box)
        with memory.mapped() as (source, results):
            shape = (self.spec.inputs // 4, height, width, 4)
            self.binding.bind_input("textures", device, 0, np.float16, shape, source)
            for i, result in enumerate(results):
                self.binding.bind_output(f"shaded{i}", device, 0, np.float16, (1, inside[3], inside[2], 4), result)
            with _errors_of_onnx():
                self.session.run_with_iobinding(self.binding)
                self.binding.synchronize_outputs()
        memory.give(targets.textures, inside)


def _occupied_box(frame: Frame, targets: OnnxTargets, margin: int) -> Box | None:
    """What holds all occupied tiles; None where that is nothing, or nothing but margin."""
    frame.tiles.read_into(targets.occupied, alignment=1)
    occupied = targets.occupied.reshape(frame.tiles.height, frame.tiles.width)
    rows, columns = np.flatnonzero(occupied.any(1)), np.flatnonzero(occupied.any(0))
    if not len(rows):
        return None
    low = (int(columns[0]) * TILE, int(rows[0]) * TILE)
    high = ((int(columns[-1]) + 1) * TILE, (int(rows[-1]) + 1) * TILE)
    width, height = (min(b, side) - a for a, b, side in zip(low, high, frame.inputs.size, strict=True))
    return (*low, width, height) if min(width, height) > 2 * margin else None


@contextmanager
def _errors_of_onnx() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ONNX Runtime raises what it likes
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DuplexError(f"backend onnx: ONNX Runtime refuses it ({reason[:200]}): try another backend") from None


def _session(spec: NetworkSpec, weights: NetworkWeights, with_cuda: bool) -> Any:
    """A session on CUDA, if that is asked for and there, else on the CPU."""
    try:
        import onnxruntime

        from duplex.app.render.backends.onnx_model import textures_to_onnx
    except (ImportError, AttributeError, TypeError) as error:  # not there, or of versions that do not go together
        missing = getattr(error, "name", None) or f"ONNX Runtime ({error})"
        raise DuplexError(
            f"backend onnx: {missing} is not installed: python3 -m pip install 'duplex-radiance[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is said below, in one sentence
    providers: list[Any] = [CPU]
    if with_cuda and CUDA in onnxruntime.get_available_providers():
        providers.insert(0, (CUDA, CUDA_SETTINGS))
    with _errors_of_onnx():
        if len(providers) > 1 and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.set_default_logger_severity(4)
            with redirect_stdout(io.StringIO()):  # it prints what it does not find
                onnxruntime.preload_dlls()  # CUDA's libraries may lie in packages of their own
        return onnxruntime.InferenceSession(textures_to_onnx(spec, weights), options, providers=providers)
