"""The shading network by ONNX Runtime: with CUDA where that is there, else on the CPU.

The model is made anew from the network's description: one from a file could ask ONNX Runtime for anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np

from duplex.app.backends import Frame
from duplex.app.camera import Array
from duplex.app.errors import DuplexError
from duplex.app.gpu import Timers, bytes_of, color_target
from duplex.app.network import NetworkSpec, NetworkWeights
from duplex.app.passes.features import FeaturePass
from duplex.app.passes.tiles import TILE

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


@dataclass(frozen=True)
class OnnxTargets:
    """``textures``: for the result. The rest is memory, for a whole picture, of which a frame uses a part.

    ``halves``: four channels of each pixel as the GPU has them; ``planes``, ``result``: what goes into the model, and
    what comes back; ``occupied``: the tiles.
    """

    textures: list[moderngl.Texture]
    halves: Array
    planes: Array
    result: Array
    occupied: Array


class OnnxShading:
    """Reads the inputs' occupied part back, runs the model on it and brings the result to the GPU.

    :attr:`provider`: what runs the model. Raises :class:`DuplexError` where ONNX Runtime is missing or refuses it.
    """

    name = "onnx"

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, weights: NetworkWeights, features: FeaturePass):
        self.ctx, self.spec, self.features = ctx, spec, features
        self.session = _session(spec, weights)
        self.provider = str(self.session.get_providers()[0])
        self.binding = self.session.io_binding()

    def make_targets(self, size: tuple[int, int]) -> OnnxTargets:
        """Half-float targets for inputs of ``size``, and memory for what goes to the model and comes back."""
        blocks, pixels = self.spec.channels_to_space**2, size[0] * size[1]
        return OnnxTargets(
            [color_target(self.ctx, size) for _ in range(blocks)],
            np.zeros(4 * pixels, np.float16),
            np.zeros(self.spec.inputs * pixels, np.float32),
            np.zeros(4 * blocks * pixels, np.float32),
            np.zeros(-(-size[0] // TILE) * -(-size[1] // TILE), np.uint8),
        )

    def gpu_bytes(self, targets: OnnxTargets) -> int:
        """What ``targets`` take."""
        return bytes_of(*targets.textures)

    def render(self, frame: Frame, timers: Timers) -> list[moderngl.Texture]:
        """Shade the occupied tiles' rectangle; straight RGBA, a texture of half floats for each pixel of a block."""
        with timers.measure("features"):
            self.features.render(frame)
        with timers.measure("shading 1"):
            targets: OnnxTargets = frame.shaded
            box = _occupied_box(frame, targets)
            if box is not None:
                self._read_inputs(frame, targets, box)
                self._run(targets, box)
                self._write(targets, box)
        return targets.textures

    def _read_inputs(self, frame: Frame, targets: OnnxTargets, box: tuple[int, int, int, int]) -> None:
        *_, width, height = box
        halves = targets.halves[: 4 * width * height]
        planes = targets.planes[: self.spec.inputs * width * height].reshape(-1, 4, height, width)
        for i, plane in enumerate(planes):
            frame.inputs.read_into(halves, viewport=box, components=4, attachment=i, dtype="f2")
            for channel in range(4):  # OpenGL's rows begin at the bottom, the network's at the top
                np.copyto(plane[channel], halves.reshape(height, width, 4)[::-1, :, channel])

    def _run(self, targets: OnnxTargets, box: tuple[int, int, int, int]) -> None:
        *_, width, height = box
        scale, reach = self.spec.channels_to_space, 2 * self.spec.margin
        shapes = (1, self.spec.inputs, height, width), (1, 4, scale * (height - reach), scale * (width - reach))
        self.binding.bind_input("inputs", "cpu", 0, np.float32, shapes[0], targets.planes.ctypes.data)
        self.binding.bind_output("rgba", "cpu", 0, np.float32, shapes[1], targets.result.ctypes.data)
        self.session.run_with_iobinding(self.binding)

    def _write(self, targets: OnnxTargets, box: tuple[int, int, int, int]) -> None:
        left, bottom, width, height = box
        margin, scale = self.spec.margin, self.spec.channels_to_space
        width, height = width - 2 * margin, height - 2 * margin
        rgba = targets.result[: 4 * scale * scale * width * height].reshape(4, scale * height, scale * width)
        halves = targets.halves[: 4 * width * height]
        for i, target in enumerate(targets.textures):
            part = rgba[:, i // scale :: scale, i % scale :: scale]
            for channel in range(4):
                np.copyto(halves.reshape(height, width, 4)[::-1, :, channel], part[channel], casting="same_kind")
            target.write(halves, viewport=(left + margin, bottom + margin, width, height))


def _occupied_box(frame: Frame, targets: OnnxTargets) -> tuple[int, int, int, int] | None:
    """First column and row, width and height, in pixels, of what holds all occupied tiles."""
    frame.tiles.read_into(targets.occupied, alignment=1)
    occupied = targets.occupied.reshape(frame.tiles.height, frame.tiles.width)
    rows, columns = np.flatnonzero(occupied.any(1)), np.flatnonzero(occupied.any(0))
    if not len(rows):
        return None
    low = (int(columns[0]) * TILE, int(rows[0]) * TILE)
    high = ((int(columns[-1]) + 1) * TILE, (int(rows[-1]) + 1) * TILE)
    width, height = (min(b, side) - a for a, b, side in zip(low, high, frame.inputs.size, strict=True))
    return *low, width, height


def _session(spec: NetworkSpec, weights: NetworkWeights) -> Any:
    try:
        import onnxruntime

        from duplex.app.onnx_model import network_to_onnx
    except ImportError as error:
        raise DuplexError(
            f"backend onnx: {error.name} is not installed: python3 -m pip install 'duplex-radiance[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is said below, in one sentence
    wanted = [provider for provider in PROVIDERS if provider in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(network_to_onnx(spec, weights), options, providers=wanted)
    except Exception as error:  # ONNX Runtime raises what it likes
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DuplexError(f"backend onnx: ONNX Runtime refuses it ({reason[:200]}): try another backend") from None
