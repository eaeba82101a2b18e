"""Memory that OpenGL fills and reads and ONNX Runtime computes in: the program's own, or the graphics card's."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import moderngl
import numpy as np

from duplex.app.core.errors import DuplexError

Box = tuple[int, int, int, int]  # left, bottom, width, height: pixels
PIXEL_BYTES = 8  # four half floats
RUNTIMES = ("cudart64_13.dll", "cudart64_12.dll") if sys.platform == "win32" else ("libcudart.so.13", "libcudart.so.12")


class SharedMemory(Protocol):
    """Room for the input textures, one behind the other, and for each of the output textures.

    ``device``: ONNX Runtime's name of where it is.
    """

    device: str

    def take(self, inputs: moderngl.Framebuffer, box: Box) -> None:
        """Take the pixels of all textures of ``inputs``."""
        ...

    def mapped(self) -> AbstractContextManager[tuple[int, list[int]]]:
        """The addresses of inputs and outputs, which hold for as long as it is entered."""
        ...

    def give(self, textures: Sequence[moderngl.Texture], box: Box) -> None:
        """Write the outputs into ``textures``."""
        ...


class HostMemory:
    """The program's own."""

    device = "cpu"

    def __init__(self, inputs: int, outputs: int, pixels: int):
        self.inputs = np.zeros(inputs * pixels * PIXEL_BYTES, np.uint8)
        self.outputs = [np.zeros(pixels * PIXEL_BYTES, np.uint8) for _ in range(outputs)]

    def take(self, inputs: moderngl.Framebuffer, box: Box) -> None:
        """As :class:`SharedMemory` says."""
        size = box[2] * box[3] * PIXEL_BYTES
        for i in range(len(inputs.color_attachments)):
            part = self.inputs[i * size : (i + 1) * size]
            inputs.read_into(part, viewport=box, components=4, attachment=i, dtype="f2")

    @contextmanager
    def mapped(self) -> Iterator[tuple[int, list[int]]]:
        """As :class:`SharedMemory` says."""
        yield self.inputs.ctypes.data, [output.ctypes.data for output in self.outputs]

    def give(self, textures: Sequence[moderngl.Texture], box: Box) -> None:
        """As :class:`SharedMemory` says."""
        for texture, output in zip(textures, self.outputs, strict=True):
            texture.write(output[: box[2] * box[3] * PIXEL_BYTES], viewport=box)


class CudaMemory:
    """Buffers of OpenGL that CUDA sees too, so that nothing leaves the graphics card.

    Raises :class:`DuplexError` where there is no CUDA runtime, or it does not see the card that OpenGL draws with.
    """

    device = "cuda"

    def __init__(self, ctx: moderngl.Context, inputs: int, outputs: int, pixels: int):
        self.ctx, self.cuda = ctx, _runtime()
        sizes = [inputs * pixels * PIXEL_BYTES, *([pixels * PIXEL_BYTES] * outputs)]
        self.buffers = [ctx.buffer(reserve=size) for size in sizes]
        self.resources = (ctypes.c_void_p * len(sizes))()
        self.registered = 0
        for i, buffer in enumerate(self.buffers):
            place = ctypes.byref(self.resources, i * ctypes.sizeof(ctypes.c_void_p))
            self._call("cudaGraphicsGLRegisterBuffer", place, ctypes.c_uint(buffer.glo), ctypes.c_uint(0))
            self.registered += 1

    def take(self, inputs: moderngl.Framebuffer, box: Box) -> None:
        """As :class:`SharedMemory` says."""
        size = box[2] * box[3] * PIXEL_BYTES
        for i in range(len(inputs.color_attachments)):
            inputs.read_into(
                self.buffers[0], viewport=box, components=4, attachment=i, dtype="f2", write_offset=i * size
            )

    @contextmanager
    def mapped(self) -> Iterator[tuple[int, list[int]]]:
        """As :class:`SharedMemory` says; OpenGL's work is waited for before, and CUDA's after."""
        count, stream = ctypes.c_int(len(self.buffers)), ctypes.c_void_p(None)
        self._call("cudaGraphicsMapResources", count, self.resources, stream)
        try:
            self._call("cudaStreamSynchronize", stream)  # what computes is another stream, which does not wait for it
            yield self._address(0), [self._address(i) for i in range(1, len(self.buffers))]
        finally:
            self._call("cudaGraphicsUnmapResources", count, self.resources, stream)

    def give(self, textures: Sequence[moderngl.Texture], box: Box) -> None:
        """As :class:`SharedMemory` says."""
        for texture, buffer in zip(textures, self.buffers[1:], strict=True):
            texture.write(buffer, viewport=box)

    def _address(self, index: int) -> int:
        pointer, size = ctypes.c_void_p(), ctypes.c_size_t()
        resource = ctypes.c_void_p(self.resources[index])
        self._call("cudaGraphicsResourceGetMappedPointer", ctypes.byref(pointer), ctypes.byref(size), resource)
        return pointer.value or 0

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self.cuda, name)(*arguments)
        if status:
            self.cuda.cudaGetLastError()  # which forgets it: ONNX Runtime would take it for its own
            raise DuplexError(f"{name} fails with CUDA's error {status}: OpenGL and CUDA do not share this card")

    def __del__(self) -> None:
        if getattr(self, "registered", 0) and self.ctx.gc_mode == "auto":  # else there is no context any more
            for i in range(self.registered):
                self.cuda.cudaGraphicsUnregisterResource(ctypes.c_void_p(self.resources[i]))


def _runtime() -> ctypes.CDLL:
    """CUDA's runtime, if there is a choice the one of ONNX Runtime's version."""
    import onnxruntime

    version = str(getattr(onnxruntime, "cuda_version", "")).split(".")[0]
    for name in sorted(RUNTIMES, key=lambda name: version not in name):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise DuplexError(f"no CUDA runtime here ({', '.join(RUNTIMES)})")
