"""The pictures of a bundle: files as its writer makes them, so nothing that only other programs write is parsed."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">8sI4sIIBBBBB")  # the signature, and the first chunk with width, height and the format
CHUNKS = (b"IHDR", b"IDAT", b"IEND")
MAX_CHUNKS = 100_000
CHUNK_BYTES = 12  # length, type and checksum of a chunk, beside its content
RGBA_8_BIT = (8, 6, 0, 0, 0)  # bits, colour type, compression, filters, not interlaced
DEFLATE_EXPANSION = 1032  # bytes that a deflated byte holds at most
FREE_BYTES = 1 << 20  # of pixels, whatever the file holds
REMEDY = "a damaged or forged bundle; bake again"
Size = tuple[int, int]


def read_rgba(content: bytes, size: Size, packed: int, name: str) -> Array:
    """The PNG ``content`` as (height, width, 4) uint8; ``size``: its width and height in the manifest.

    ``packed``: how many bytes it takes in the bundle. Raises :class:`DuplexError`, which begins with ``name``.
    """
    _check(content, (size[0], size[1]), packed, name)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            return np.asarray(image)
    except Exception:  # Pillow lets through whatever its parsers meet
        raise DuplexError(f"{name}: not a PNG image: a damaged bundle; bake again") from None


def read_webp(content: bytes, size: Size, name: str) -> Array:
    """The WebP ``content`` as (height, width, 4) uint8; otherwise as for :func:`read_rgba`."""
    try:
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
            if image.size == (size[0], size[1]) and getattr(image, "n_frames", 1) == 1:
                return np.asarray(image.convert("RGBA"))
            found = f"{image.size[0]} x {image.size[1]}"
    except Exception:  # Pillow lets through whatever its parsers meet
        raise DuplexError(f"{name}: not a WebP image: a damaged bundle; bake again") from None
    raise DuplexError(f"{name}: {found}: the manifest states one picture of {size[0]} x {size[1]}: {REMEDY}")


def _check(content: bytes, size: Size, packed: int, name: str) -> None:
    """Refuse what is wrong without a look at the pixels."""
    if len(content) < HEADER.size or not content.startswith(SIGNATURE) or content[12:16] != b"IHDR":
        raise DuplexError(f"{name}: not a PNG image: a damaged bundle; bake again")
    _, _, _, width, height, *form = HEADER.unpack_from(content)
    if (width, height) != size or tuple(form) != RGBA_8_BIT:
        kind = "RGBA" if tuple(form) == RGBA_8_BIT else "another format"
        raise DuplexError(
            f"{name}: {kind} of {width} x {height}: the manifest states RGBA of {size[0]} x {size[1]}: {REMEDY}"
        )
    if not _holds_pixels_only(content):
        raise DuplexError(f"{name}: a PNG image with more than pixels in it: {REMEDY}")
    if 4 * width * height > FREE_BYTES + DEFLATE_EXPANSION * packed:
        raise DuplexError(f"{name}: {width} x {height} texels in {packed} bytes, too few to hold them: {REMEDY}")


def _holds_pixels_only(content: bytes) -> bool:
    """Whether all chunks, up to one that is cut off, are pixels in pieces of a reasonable number."""
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if at + CHUNK_BYTES > len(content):
            return True
        if content[at + 4 : at + 8] not in CHUNKS:
            return False
        at += CHUNK_BYTES + int.from_bytes(content[at : at + 4], "big")
    return False
