"""What Pillow does with a stranger's picture: :mod:`~duplex.baking.datasets.pictures` calls it in another process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.file_kinds import PICTURE, wrong_kind
from duplex.app.core.package import installing

MAX_PICTURE_SIDE = 8192
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "HEIF")
HEIF_SUFFIXES = (".heic", ".heif")
PICTURE_MODES = ("L", "LA", "P", "RGB", "RGBA", "I;16")  # Pillow itself brings 16-bit colour down to 8 bits
ORIENTATION_TAG = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def header(path: str) -> tuple[int, int, int]:
    """Width and height of the picture as stored, and its EXIF orientation."""
    with opened(path) as image:
        return *image.size, orientation_of(image)


def pixels(path: str, width: int, height: int) -> Array:
    """The picture, turned if it takes that to be of this size: (h, w, 4) uint8 RGBA, or (h, w) uint16 grey."""
    with opened(path) as image:
        upright = _turned_to(image, (width, height), path)
        return np.asarray(upright if upright.mode == "I;16" else upright.convert("RGBA"))


def mask(path: str, width: int, height: int) -> Array:
    """A mask at this size by nearest neighbour: (h, w) bool, false where its grey is 0."""
    with opened(path, (*PICTURE_MODES, "1")) as image:
        if not same_shape(image.size, (width, height)):
            raise DuplexError(
                f"{path}: a mask of {image.size[0]} x {image.size[1]}: expected the shape of its picture, "
                f"{width} x {height}: make the mask anew from the picture"
            )
        grey = image if image.mode == "I;16" else image.convert("L")
        kept = Image.fromarray(np.asarray(grey) > 0)
        return np.asarray(kept.resize((width, height), Image.Resampling.NEAREST))


def same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two (width, height) have the same ratio of sides, within 1%."""
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1) <= 0.01


@contextmanager
def opened(path: str, modes: tuple[str, ...] = PICTURE_MODES) -> Iterator[Image.Image]:
    """The picture in ``path``: of bounded size, or a :class:`DuplexError`."""
    if path.lower().endswith(HEIF_SUFFIXES):
        _prepare_heif(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            if max(image.size) > MAX_PICTURE_SIDE or image.mode not in modes:
                raise DuplexError(
                    f"{path}: {image.mode} of {image.size[0]} x {image.size[1]}: expected 8-bit grey or colour "
                    f"or 16-bit PNG of at most {MAX_PICTURE_SIDE} pixels a side: convert it"
                )
            yield image
    except (DuplexError, MemoryError):
        raise
    except Exception:  # Pillow lets through whatever its parsers meet
        damaged = DuplexError(f"{path}: not a PNG, JPEG, WebP or AVIF picture, or a damaged one")
        raise wrong_kind(Path(path), "a PNG, JPEG, WebP or AVIF picture", (PICTURE,)) or damaged from None


def _prepare_heif(path: str) -> None:
    """Let Pillow read HEIC files, whose orientation it then applies by itself."""
    try:
        import pillow_heif
    except ImportError:
        raise DuplexError(
            f"{path}: a HEIC photo, which needs pillow-heif: {installing('pillow-heif')}, or save it as JPEG"
        ) from None
    pillow_heif.register_heif_opener()


def _turned_to(image: Image.Image, size: tuple[int, int], path: str) -> Image.Image:
    turn = TURNS.get(orientation_of(image)) if image.size != size else None
    upright = image if turn is None else image.transpose(turn)
    if upright.size != size:
        raise DuplexError(
            f"{path}: {upright.size[0]} x {upright.size[1]}: expected {size[0]} x {size[1]} as when the dataset was "
            "read: leave the pictures alone meanwhile"
        )
    return upright


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) to 8; 1 where there is none or it cannot be read."""
    try:  # the base class's reader: that of PNG files decodes the whole picture in search of the tag
        value = Image.Image.getexif(image).get(ORIENTATION_TAG, 1)
    except Exception:  # a damaged tag is no tag; Pillow's EXIF reader raises whatever its parser meets
        return 1
    return value if isinstance(value, int) and value in TURNS else 1
