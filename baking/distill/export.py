"""Turns the trained student into a bundle: 8-bit textures, the network as ONNX, a thumbnail."""

from __future__ import annotations

import io

import moderngl
import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.render.backends.onnx_model import network_to_onnx
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle, BundleShell
from duplex.app.scene.mesh import Mesh
from duplex.baking.distill.features import FeatureTexture
from duplex.baking.distill.filling import filled
from duplex.baking.distill.student import Student

THUMBNAIL = (320, 240)


def export_shell(shell: Mesh, texture: FeatureTexture) -> BundleShell:
    """A shell with its learned features as 8-bit textures of four channels each, filled where nothing was seen."""
    texels = texture.export().numpy()
    side = texels.shape[0]
    channels = texels.shape[2]
    planes = texels.reshape(side, side, channels // 4, 4).transpose(2, 0, 1, 3)
    scale, offset = np.full(channels, 2, np.float32), np.full(channels, -1, np.float32)
    return filled(BundleShell(shell, np.ascontiguousarray(planes), scale, offset))


def export_student(student: Student, shells: tuple[Mesh, Mesh]) -> Bundle:
    """A bundle of geometry, features and network; the pipeline adds the facts of the scene."""
    outer, inner = (export_shell(s, t) for s, t in zip(shells, student.textures, strict=True))
    weights = student.network.exported()
    return Bundle(outer, inner, student.network.spec, weights, onnx=network_to_onnx(student.network.spec, weights))


def thumbnail(ctx: moderngl.Context, bundle: Bundle) -> bytes:
    """A small PNG of the bundle from its first camera."""
    renderer = Renderer(ctx, bundle)
    return png(renderer.image(bundle.cameras[0].resized(*THUMBNAIL)))


def png(image: Array) -> bytes:
    """An (h, w, 3 or 4) uint8 image as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
