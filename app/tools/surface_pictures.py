"""Depth and normals of what a camera sees, without a window: PNG for eyes, OpenEXR for numbers."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import moderngl
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.core.outputs import check_output
from duplex.app.render.gpu import create_headless_context, driver_errors
from duplex.app.render.passes.gbuffer import GBufferPass, GpuShell, surface_targets
from duplex.app.render.view_transform import ViewTransform
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera

ENDINGS = (".png", ".exr")
STEPS = 65535  # of a depth in a PNG


@dataclass(frozen=True)
class Surface:
    """The first surface of the outer shell that a camera sees, (height, width, ...) float32, top row first.

    ``depth``: along the view axis, world units, 0 where nothing is met; ``normals``: (..., 3), unit, world, 0 there.
    """

    depth: Array
    normals: Array


def surface_of(bundle: Bundle, camera: Camera, ctx: moderngl.Context | None = None) -> Surface:
    """What ``camera`` sees of the outer shell; raises :class:`DuplexError` where nothing can be drawn."""
    ctx = ctx or create_headless_context()
    mesh = bundle.outer.mesh
    center = 0.5 * (mesh.positions.min(0) + mesh.positions.max(0))
    radius = float(np.linalg.norm(mesh.positions - center, axis=1).max()) * 1.001
    size = (camera.width, camera.height)
    with driver_errors(f"a picture of {size[0]} x {size[1]}"):
        drawing = GBufferPass(ctx, GpuShell.upload(ctx, mesh, bundle.double_sided), 0, surface=True)
        target = surface_targets(ctx, size)
        drawing.render(ViewTransform.of(camera, center, radius), out=target)
        found = np.frombuffer(target.read(components=4, dtype="f4"), np.float32).reshape(*size[::-1], 4)[::-1]
    distance, face = found[..., 2], found[..., 3].astype(np.int64) - 1
    met = face >= 0
    x = (np.arange(size[0]) + 0.5 - camera.cx) / camera.fx
    y = (np.arange(size[1]) + 0.5 - camera.cy) / camera.fy
    depth = np.where(met, distance / np.sqrt(1 + x[None] ** 2 + y[:, None] ** 2), 0)
    a, b, c = (mesh.positions[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    return Surface(depth.astype(np.float32), np.where(met[..., None], normal[face], 0).astype(np.float32))


def check_surface_name(path: Path) -> None:
    """Raise :class:`DuplexError` for a name that ends in none of :data:`ENDINGS`, or where nothing can be written."""
    if path.suffix.lower() not in ENDINGS:
        raise DuplexError(f"{path}: expected a name that ends in {' or '.join(ENDINGS)}")
    check_output(path)


def write_depth(surface: Surface, path: Path) -> None:
    """Write the depth: as float32 in an EXR; in a PNG as 16 bits, whose text ``scale`` is world units a step."""
    if path.suffix.lower() == ".exr":
        write_atomically(path, _exr(surface.depth, "grayf32le"))
        return
    scale = max(float(surface.depth.max()), 1e-30) / STEPS
    steps = np.round(surface.depth / scale).astype(np.uint16)
    facts = PngInfo()
    facts.add_text("scale", repr(scale))
    facts.add_text("unit", "depth along the view axis in world units = value * scale; 0: nothing is met")
    write_atomically(path, _png(lambda out: Image.fromarray(steps).save(out, "PNG", pnginfo=facts)))


def write_normals(surface: Surface, path: Path) -> None:
    """Write the normals: as float32 in an EXR; in a PNG as ``(n + 1) / 2``, transparent where nothing is met."""
    if path.suffix.lower() == ".exr":
        write_atomically(path, _exr(surface.normals, "gbrpf32le"))
        return
    met = (surface.depth > 0)[..., None]
    color = np.round(255 * np.where(met, (surface.normals + 1) / 2, 0))
    rgba = np.concatenate([color, 255 * met], -1).astype(np.uint8)
    write_atomically(path, _png(lambda out: Image.fromarray(rgba).save(out, "PNG")))


def _png(save: Callable[[io.BytesIO], None]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def _exr(values: Array, layout: str) -> bytes:
    """An OpenEXR file of float32 ``values``, by FFmpeg's encoder for pixels of this ``layout``."""
    import av  # slow to import

    codec = av.CodecContext.create("exr", "w")
    codec.width, codec.height = values.shape[1], values.shape[0]
    codec.pix_fmt, codec.time_base = layout, Fraction(1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(values), format=layout)
    frame.pts = 0
    packets = [*codec.encode(frame), *codec.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
