"""The ONNX backend: the shading network in ONNX Runtime, with CUDA if available, else on the CPU.

The model is built from the network's description. The ONNX part of a bundle is untrusted and never executed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.package import installing_extra
from duplex.app.render.backends.onnx_memory import Box, CudaMemory, HostMemory, SharedMemory
from duplex.app.render.backends.pyramid import level_range
from duplex.app.render.frame import Frame
from duplex.app.render.gpu import bytes_of, color_target
from duplex.app.render.passes.features import FeaturePass
from duplex.app.render.passes.tiles import TILE
from duplex.app.render.timers import Timers
from duplex.app.scene.network import MAX_LEVEL, NetworkSpec, NetworkWeights

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_SETTINGS = {"cudnn_conv_algo_search": "HEURISTIC"}  # an exhaustive search takes seconds


class OnnxBackend:
    """Copies the input textures to the model and its output to textures.

    With CUDA all data stays on the GPU; on the CPU the model receives the bounding box of the occupied tiles only.
    Raises :class:`DuplexError` if ONNX Runtime is missing or rejects the model.
    """

    name = "onnx"

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, weights: NetworkWeights, features: FeaturePass):
        self.ctx = ctx
        self.spec = spec
        self.features = features
        self.weights = weights
        self.sessions: dict[int, tuple[Any, Any]] = {}
        self.provider = str(self.session(0)[0].get_providers()[0])

    def session(self, levels: int) -> tuple[Any, Any]:
        """The inference session of the model that builds ``levels`` levels of the feature pyramid, and its binding."""
        if levels not in self.sessions:
            with_cuda = "nvidia" in str(self.ctx.info.get("GL_VENDOR", "")).lower()
            made = _session(self.spec, self.weights, levels, with_cuda)
            self.sessions[levels] = (made, made.io_binding())
        return self.sessions[levels]

    def sized(self, size: tuple[int, int]) -> SizedOnnxBackend:
        """This backend with half-float targets for G-buffers of ``size``, and memory for the model."""
        blocks = self.spec.channels_to_space**2
        textures = [color_target(self.ctx, size) for _ in range(blocks)]
        memory = self._make_memory(self.spec.inputs // 4 + int(self.spec.scaled), blocks, size[0] * size[1])
        tiles = np.zeros(-(-size[0] // TILE) * -(-size[1] // TILE), np.uint8)
        return SizedOnnxBackend(self, textures, memory, tiles)

    def _make_memory(self, inputs: int, outputs: int, pixels: int) -> SharedMemory:
        if self.provider == CUDA:
            try:
                return CudaMemory(self.ctx, inputs, outputs, pixels)
            except DuplexError:  # OpenGL runs on another GPU: data then goes through host memory
                pass
        return HostMemory(inputs, outputs, pixels)


class SizedOnnxBackend:
    """An :class:`OnnxBackend` with its targets.

    ``textures``: of the output; ``memory``: for a G-buffer in which all tiles are occupied; ``occupied``: (tiles,)
    uint8, the tile target on the CPU; ``hits``: those of the outer shell as a framebuffer, made for the first frame.
    """

    hits: moderngl.Framebuffer | None = None

    def __init__(self, backend: OnnxBackend, textures: list[moderngl.Texture], memory: SharedMemory, occupied: Array):
        self.backend = backend
        self.textures = textures
        self.memory = memory
        self.occupied = occupied

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the targets in bytes."""
        return bytes_of(*self.textures, *getattr(self.memory, "buffers", ()))

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Look up features in the occupied tiles and run the network in their bounding box."""
        with timers.measure("features"):
            self.backend.features.render(frame)
        with timers.measure("shading 1"):
            on_gpu = self.memory.device == "cuda"  # there reading back the tiles costs more than it saves
            whole = (0, 0, *frame.inputs.size)
            box = whole if on_gpu else self._occupied_box(frame)
            if box is not None:
                self._run(frame, box)
        return self.textures

    def _run(self, frame: Frame, box: Box) -> None:
        left, bottom, width, height = box
        memory = self.memory
        spec = self.backend.spec
        session, binding = self.backend.session(level_range(spec, frame.transform)[1])
        margin = self.backend.spec.margin
        inside = (left + margin, bottom + margin, width - 2 * margin, height - 2 * margin)
        memory.read_inputs(self._inputs(frame), box)
        with memory.mapped() as (source, results):
            shape = (spec.inputs // 4 + int(spec.scaled), height, width, 4)
            binding.bind_input("textures", memory.device, 0, np.float16, shape, source)
            for i, result in enumerate(results):
                shape = (1, inside[3], inside[2], 4)
                binding.bind_output(f"shaded{i}", memory.device, 0, np.float16, shape, result)
            with _errors_of_onnx():
                session.run_with_iobinding(binding)
                binding.synchronize_outputs()
        memory.write_outputs(self.textures, inside)

    def _inputs(self, frame: Frame) -> list[moderngl.Framebuffer]:
        """The framebuffers whose textures the model reads."""
        if not self.backend.spec.scaled:
            return [frame.inputs]
        if self.hits is None:  # a frame of one size always has the same targets
            self.hits = self.backend.ctx.framebuffer([frame.hits[0]])
        return [frame.inputs, self.hits]

    def _occupied_box(self, frame: Frame) -> Box | None:
        """The bounding box of the occupied tiles, None if it is empty or no larger than the margin.

        With a pyramid it begins where a texel of the last level does, and has empty tiles around it.
        """
        spec = self.backend.spec
        frame.tiles.read_into(self.occupied, alignment=1)
        occupied = self.occupied.reshape(frame.tiles.height, frame.tiles.width)
        rows, columns = np.flatnonzero(occupied.any(1)), np.flatnonzero(occupied.any(0))
        if not len(rows):
            return None
        grid = max(TILE, 1 << MAX_LEVEL) if spec.scaled else TILE
        edge = grid if spec.scaled else 0
        low = [max(int(side[0]) * TILE // grid * grid - edge, 0) for side in (columns, rows)]
        ends = ((int(side[-1]) + 1) * TILE + edge for side in (columns, rows))
        width, height = (min(end, side) - a for end, a, side in zip(ends, low, frame.inputs.size, strict=True))
        return (low[0], low[1], width, height) if min(width, height) > 2 * spec.margin else None


@contextmanager
def _errors_of_onnx() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ONNX Runtime raises exceptions of many types
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DuplexError(f"backend onnx: ONNX Runtime refuses it ({reason[:200]}): try another backend") from None


def _session(spec: NetworkSpec, weights: NetworkWeights, levels: int, with_cuda: bool) -> Any:
    """An inference session, with CUDA if ``with_cuda`` and available, else on the CPU."""
    try:
        import onnxruntime

        from duplex.app.render.backends.onnx_model import textures_to_onnx
    except (ImportError, AttributeError, TypeError) as error:  # missing, or incompatible versions
        missing = getattr(error, "name", None) or f"ONNX Runtime ({error})"
        raise DuplexError(f"backend onnx: {missing} is not installed: {installing_extra('onnx')}") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal errors only: _errors_of_onnx reports failures in one sentence
    providers: list[Any] = [CPU]
    if with_cuda and CUDA in onnxruntime.get_available_providers():
        providers.insert(0, (CUDA, CUDA_SETTINGS))
    with _errors_of_onnx():
        if len(providers) > 1 and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.set_default_logger_severity(4)
            with redirect_stdout(io.StringIO()):  # preload_dlls prints the libraries that it cannot find
                onnxruntime.preload_dlls()  # pip may have installed the CUDA libraries in separate packages
        return onnxruntime.InferenceSession(textures_to_onnx(spec, weights, levels), options, providers=providers)
