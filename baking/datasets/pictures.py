"""Picture files: searched inside their folder only, bounded in size, rotated upright, read as float arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError

MAX_PICTURE_SIDE = 8192
MAX_NAME = 1024
PICTURE_MODES = ("L", "LA", "P", "RGB", "RGBA", "I;16")  # Pillow itself brings 16-bit colour down to 8 bits
SUFFIXES = (".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")
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
Size = tuple[int, int]


def find_picture(folder: Path, name: str, suffixes: tuple[str, ...] = ("", *SUFFIXES)) -> Path | None:
    """The file ``name`` + one of ``suffixes`` if it exists and lies inside ``folder``, links followed."""
    if len(name) > MAX_NAME:
        return None
    for suffix in suffixes:
        try:
            path = (folder / (name.replace("\\", "/") + suffix)).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        except (OSError, RuntimeError, ValueError):  # a name that no file system takes, a loop of links
            return None
    return None


def pictures_in(folder: Path, root: Path) -> list[Path]:
    """The PNG and JPEG files of ``folder`` that lie inside ``root``, sorted by name; none when there is no folder."""
    if not folder.is_dir() or not folder.resolve().is_relative_to(root.resolve()):
        return []
    names = sorted(file.name for file in folder.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))
    found = [find_picture(folder, name, ("",)) for name in names]
    return [path for path in found if path is not None]


@contextmanager
def opened(path: Path, modes: tuple[str, ...] = PICTURE_MODES) -> Iterator[Image.Image]:
    """The picture in ``path``: a PNG or JPEG of bounded size, or a :class:`DuplexError`."""
    try:
        with Image.open(path, formats=["PNG", "JPEG"]) as image:
            if max(image.size) > MAX_PICTURE_SIDE or image.mode not in modes:
                raise DuplexError(
                    f"{path}: {image.mode} of {image.size[0]} x {image.size[1]}: expected 8-bit grey or colour "
                    f"or 16-bit PNG of at most {MAX_PICTURE_SIDE} pixels a side: convert it"
                )
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise DuplexError(f"{path}: not a PNG or JPEG picture, or a damaged one") from None


def upright_size(path: Path, named: Size | None) -> Size:
    """Width and height of the picture as its camera sees it.

    The picture is rotated by its EXIF orientation only if its rotated shape fits the dataset's size ``named`` and its
    stored shape does not. Raises :class:`DuplexError` where the orientation is ambiguous.
    """
    with opened(path) as image:
        stored = image.size
        orientation = _orientation(image)
    if orientation == 1:
        return stored
    turned = (stored[1], stored[0]) if orientation >= 5 else stored
    fits, fits_turned = (named is None or same_shape(size, named) for size in (stored, turned))
    if fits and fits_turned:
        raise DuplexError(
            f"{path}: EXIF orientation tag {orientation}: expected none, since the cameras do not say whether they "
            "belong to the turned picture: save it upright, or remove the tag"
        )
    return turned if fits_turned else stored


def same_shape(size: Size, other: Size) -> bool:
    """Whether two (width, height) have the same ratio of sides, within 1%."""
    return abs(size[0] * other[1] / (size[1] * other[0]) - 1) <= 0.01


def load_premultiplied(path: Path, size: Size) -> Array:
    """The picture, turned if it takes that to be of ``size``: (h, w, 4) float32, colour times alpha and alpha."""
    with opened(path) as image:
        upright = _turned_to(image, size, path)
        if upright.mode == "I;16":
            grey = np.asarray(upright).astype(np.float32) / 65535
            return np.stack([grey, grey, grey, np.ones_like(grey)], -1)
        rgba = np.array(upright.convert("RGBA"), np.float32)
    rgba /= 255
    rgba[..., :3] *= rgba[..., 3:]
    return rgba


def load_mask(path: Path, size: Size) -> Array:
    """A mask at ``size`` by nearest neighbour: (h, w) bool, false where its grey is 0."""
    with opened(path, (*PICTURE_MODES, "1")) as image:
        if not same_shape(image.size, size):
            raise DuplexError(
                f"{path}: a mask of {image.size[0]} x {image.size[1]}: expected the shape of its picture, "
                f"{size[0]} x {size[1]}: make the mask anew from the picture"
            )
        grey = image if image.mode == "I;16" else image.convert("L")
        kept = Image.fromarray(np.asarray(grey) > 0)
        return np.asarray(kept.resize(size, Image.Resampling.NEAREST))


def box_filtered(planes: Array, height: int) -> Array:
    """``planes`` (h, w, c) float32, box-filtered to ``height`` at the same aspect ratio."""
    width = max(round(planes.shape[1] * height / planes.shape[0]), 1)
    small = [
        Image.fromarray(plane).resize((width, height), Image.Resampling.BOX) for plane in np.moveaxis(planes, -1, 0)
    ]
    return np.stack([np.asarray(plane) for plane in small], -1)


def _turned_to(image: Image.Image, size: Size, path: Path) -> Image.Image:
    turn = TURNS.get(_orientation(image)) if image.size != size else None
    upright = image if turn is None else image.transpose(turn)
    if upright.size != size:
        raise DuplexError(
            f"{path}: {upright.size[0]} x {upright.size[1]}: expected {size[0]} x {size[1]} as when the dataset was "
            "read: leave the pictures alone meanwhile"
        )
    return upright


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) to 8; 1 where there is none or it cannot be read."""
    try:  # the base class's reader: that of PNG files decodes the whole picture in search of the tag
        value = Image.Image.getexif(image).get(ORIENTATION_TAG, 1)
    except Exception:  # a damaged tag is no tag; Pillow's EXIF reader raises whatever its parser meets
        return 1
    return value if isinstance(value, int) and value in TURNS else 1
