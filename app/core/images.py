"""Images over backgrounds and as PNG files."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.files import write_atomically


def over(rgba: Array, background: Iterable[float]) -> Array:
    """A picture with premultiplied alpha (..., 4) over an opaque colour: (..., 3) float32 in [0, 1]."""
    color = np.array(tuple(background), np.float32)
    return np.asarray(np.clip(rgba[..., :3] + (1 - rgba[..., 3:]) * color, 0, 1))


def unpremultiplied(image: Array) -> Array:
    """Convert an RGBA image (h, w, 4) uint8 from premultiplied to straight alpha; same shape and dtype."""
    alpha = np.maximum(image[..., 3:].astype(np.float32) / 255, 1 / 255)
    color = np.minimum(np.round(image[..., :3] / alpha), 255).astype(np.uint8)
    return np.concatenate([color, image[..., 3:]], -1)


def to_png(image: Array) -> bytes:
    """An image (h, w, 3 or 4) uint8 as a PNG.

    An image of 4 channels has premultiplied alpha; the PNG stores straight alpha, and no alpha if it is 255
    everywhere.
    """
    if image.shape[2] == 4 and (image[..., 3] == 255).all():
        image = image[..., :3]
    if image.shape[2] == 4:
        image = unpremultiplied(image)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG")
    return buffer.getvalue()


def save_png(image: Array, path: Path) -> None:
    """Write an image as :func:`to_png` gives it, atomically; raises as write_atomically does."""
    write_atomically(path, to_png(image))
