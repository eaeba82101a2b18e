"""Memory that OpenGL and ONNX Runtime share: host memory, or buffers on the GPU through CUDA interoperability."""

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
CUDA_RUNTIMES = (
    ("cudart64_13.dll", "cudart64_12.dll") if sys.platform == "win32" else ("libcudart.so.13", "libcudart.so.12")
)


class SharedMemory(Protocol):
    """Memory for all input textures in one block, and for each output texture.

    ``device``: ONNX Runtime's name of the device that holds it.
    """

    device: str

    def read_inputs(self, inputs: Sequence[moderngl.Framebuffer], box: Box) -> None:
        """Copy the pixels in ``box`` of all textures of ``inputs`` into this memory."""
        ...

    def mapped(self) -> AbstractContextManager[tuple[int, list[int]]]:
        """A context manager for the addresses of the inputs and of each output, valid inside the ``with`` block."""
        ...

    def write_outputs(self, textures: Sequence[moderngl.Texture], box: Box) -> None:
        """Copy the outputs into ``box`` of ``textures``."""
        ...


class HostMemory:
    """:class:`SharedMemory` in host memory; pixels are copied from and to the GPU."""

    device = "cpu"

    def __init__(self, inputs: int, outputs: int, pixels: int):
        self.inputs = np.zeros(inputs * pixels * PIXEL_BYTES, np.uint8)
        self.outputs = [np.zeros(pixels * PIXEL_BYTES, np.uint8) for _ in range(outputs)]

    def read_inputs(self, inputs: Sequence[moderngl.Framebuffer], box: Box) -> None:
        """As :class:`SharedMemory` says."""
        size = box[2] * box[3] * PIXEL_BYTES
        for i, (source, attachment) in enumerate(_attachments(inputs)):
            part = self.inputs[i * size : (i + 1) * size]
            source.read_into(part, viewport=box, components=4, attachment=attachment, dtype="f2")

    @contextmanager
    def mapped(self) -> Iterator[tuple[int, list[int]]]:
        """As :class:`SharedMemory` says."""
        yield self.inputs.ctypes.data, [output.ctypes.data for output in self.outputs]

    def write_outputs(self, textures: Sequence[moderngl.Texture], box: Box) -> None:
        """As :class:`SharedMemory` says."""
        for texture, output in zip(textures, self.outputs, strict=True):
            texture.write(output[: box[2] * box[3] * PIXEL_BYTES], viewport=box)


class CudaMemory:
    """:class:`SharedMemory` in OpenGL buffers that are registered with CUDA, so that all data stays on the GPU.

    Raises :class:`DuplexError` if there is no CUDA runtime, or if OpenGL runs on a GPU without CUDA.
    """

    device = "cuda"

    def __init__(self, ctx: moderngl.Context, inputs: int, outputs: int, pixels: int):
        self.ctx = ctx
        self.cuda = _cuda_runtime()
        sizes = [inputs * pixels * PIXEL_BYTES, *([pixels * PIXEL_BYTES] * outputs)]
        self.buffers = [ctx.buffer(reserve=size) for size in sizes]
        self.resources = (ctypes.c_void_p * len(sizes))()
        self.registered = 0
        for i, buffer in enumerate(self.buffers):
            place = ctypes.byref(self.resources, i * ctypes.sizeof(ctypes.c_void_p))
            self._call("cudaGraphicsGLRegisterBuffer", place, ctypes.c_uint(buffer.glo), ctypes.c_uint(0))
            self.registered += 1

    def read_inputs(self, inputs: Sequence[moderngl.Framebuffer], box: Box) -> None:
        """As :class:`SharedMemory` says."""
        size = box[2] * box[3] * PIXEL_BYTES
        for i, (source, attachment) in enumerate(_attachments(inputs)):
            source.read_into(
                self.buffers[0], viewport=box, components=4, attachment=attachment, dtype="f2", write_offset=i * size
            )

    @contextmanager
    def mapped(self) -> Iterator[tuple[int, list[int]]]:
        """As :class:`SharedMemory` says. Mapping waits for OpenGL, unmapping for CUDA."""
        count = ctypes.c_int(len(self.buffers))
        stream = ctypes.c_void_p(None)
        self._call("cudaGraphicsMapResources", count, self.resources, stream)
        try:
            self._call(
                "cudaStreamSynchronize", stream
            )  # ONNX Runtime computes in another stream, which does not wait for the mapping
            yield self._address(0), [self._address(i) for i in range(1, len(self.buffers))]
        finally:
            self._call("cudaGraphicsUnmapResources", count, self.resources, stream)

    def write_outputs(self, textures: Sequence[moderngl.Texture], box: Box) -> None:
        """As :class:`SharedMemory` says."""
        for texture, buffer in zip(textures, self.buffers[1:], strict=True):
            texture.write(buffer, viewport=box)

    def _address(self, index: int) -> int:
        pointer = ctypes.c_void_p()
        size = ctypes.c_size_t()
        resource = ctypes.c_void_p(self.resources[index])
        self._call("cudaGraphicsResourceGetMappedPointer", ctypes.byref(pointer), ctypes.byref(size), resource)
        return pointer.value or 0

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self.cuda, name)(*arguments)
        if status:
            self.cuda.cudaGetLastError()  # clear the error, or ONNX Runtime reports it as its own
            raise DuplexError(f"{name} fails with CUDA's error {status}: OpenGL and CUDA do not share this card")

    def __del__(self) -> None:
        if getattr(self, "registered", 0) and self.ctx.gc_mode == "auto":  # otherwise the context is already released
            for i in range(self.registered):
                self.cuda.cudaGraphicsUnregisterResource(ctypes.c_void_p(self.resources[i]))


def _attachments(framebuffers: Sequence[moderngl.Framebuffer]) -> list[tuple[moderngl.Framebuffer, int]]:
    return [(buffer, i) for buffer in framebuffers for i in range(len(buffer.color_attachments))]


def _cuda_runtime() -> ctypes.CDLL:
    """The CUDA runtime library, preferably the version that ONNX Runtime uses."""
    import onnxruntime

    version = str(getattr(onnxruntime, "cuda_version", "")).split(".")[0]
    for name in sorted(CUDA_RUNTIMES, key=lambda name: version not in name):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise DuplexError(f"no CUDA runtime here ({', '.join(CUDA_RUNTIMES)})")
