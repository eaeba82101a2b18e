"""Images over backgrounds and as files."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically

PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
LOSSY_QUALITY = 95  # of at most 100


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


def check_picture_name(path: Path) -> None:
    """Raise :class:`DuplexError` if no picture of the kind that the name ``path`` ends in is written here."""
    if path.suffix and path.suffix.lower() not in PICTURES:
        raise DuplexError(f"{path}: no picture of this kind is written here: expected {', '.join(PICTURES)}")


def to_picture(image: Array, path: Path) -> bytes:
    """An image as for :func:`to_png`, as PNG, or as JPEG or WebP where ``path`` ends so.

    Raises :class:`DuplexError` for another ending, and for a JPEG with transparency.
    """
    check_picture_name(path)
    kind = PICTURES.get(path.suffix.lower(), "PNG")
    if kind == "PNG":
        return to_png(image)
    opaque = image.shape[2] == 3 or bool((image[..., 3] == 255).all())
    if kind == "JPEG" and not opaque:
        raise DuplexError(f"{path}: a JPEG has no transparency: expected .png or .webp, or a background")
    buffer = io.BytesIO()
    pixels = image[..., :3] if opaque else unpremultiplied(image)
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, quality=LOSSY_QUALITY)
    return buffer.getvalue()


def save_png(image: Array, path: Path) -> None:
    """Write an image as :func:`to_png` gives it, atomically; raises as write_atomically does."""
    write_atomically(path, to_png(image))
