"""Picture files: searched inside their folder only, bounded in size, rotated upright, read as float arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.apart import apart
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import Stamp, stamp_of
from duplex.baking.datasets import decoding
from duplex.baking.datasets.decoding import same_shape

MAX_NAME = 1024
LOWER = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".heic", ".heif")
SUFFIXES = (*LOWER, *(suffix.upper() for suffix in LOWER))
DYNAMIC_MASK = "dynamic_mask_"  # how the name of instant-ngp's mask begins, of what moves; the picture's follows
Size = tuple[int, int]


def find_picture(folder: Path, name: str, suffixes: tuple[str, ...] = ("", *SUFFIXES)) -> Path | None:
    """The file ``name`` + one of ``suffixes`` if it exists and lies inside ``folder``, links followed."""
    if len(name) > MAX_NAME:
        return None
    try:
        root = folder.resolve()
        for suffix in suffixes:
            path = folder / (name.replace("\\", "/") + suffix)
            if not path.name.startswith(".") and path.is_file() and (found := path.resolve()).is_relative_to(root):
                return found
    except (OSError, RuntimeError, ValueError):  # a name that no file system takes, a loop of links
        return None
    return None


def is_picture(name: str) -> bool:
    """Whether a file of this name is a photo: neither a hidden file nor a mask."""
    return Path(name).suffix.lower() in SUFFIXES and not name.startswith((".", DYNAMIC_MASK))


def pictures_in(folder: Path, root: Path) -> list[Path]:
    """The picture files of ``folder`` that lie inside ``root``, sorted by name; none when there is no folder."""
    if not folder.is_dir() or not folder.resolve().is_relative_to(root.resolve()):
        return []
    names = sorted(file.name for file in folder.iterdir() if is_picture(file.name))
    found = [find_picture(folder, name, ("",)) for name in names]
    return [path for path in found if path is not None]


def upright_size(path: Path, named: Size | None) -> Size:
    """Width and height of the picture as its camera sees it.

    The picture is rotated by its EXIF orientation only if its rotated shape fits the dataset's size ``named`` and its
    stored shape does not. Raises :class:`DuplexError` where the orientation is ambiguous.
    """
    width, height, orientation = _header(path, stamp_of(path))
    stored = (width, height)
    if orientation == 1:
        return stored
    turned = (height, width) if orientation >= 5 else stored
    fits, fits_turned = (named is None or same_shape(size, named) for size in (stored, turned))
    if fits and fits_turned:
        raise DuplexError(
            f"{path}: EXIF orientation tag {orientation}: expected none, since the cameras do not say whether they "
            "belong to the turned picture: save it upright, or remove the tag"
        )
    return turned if fits_turned else stored


def load_premultiplied(path: Path, size: Size) -> Array:
    """The picture, turned if it takes that to be of ``size``: (h, w, 4) float32, colour times alpha and alpha."""
    pixels = _decoded(decoding.pixels, path, size)
    if pixels.ndim == 2:
        grey = pixels.astype(np.float32) / 65535
        return np.stack([grey, grey, grey, np.ones_like(grey)], -1)
    rgba = pixels.astype(np.float32)
    rgba /= 255
    rgba[..., :3] *= rgba[..., 3:]
    return rgba


def load_mask(path: Path, size: Size) -> Array:
    """A mask at ``size`` by nearest neighbour: (h, w) bool, false where its grey is 0."""
    return _decoded(decoding.mask, path, size)


def box_filtered(planes: Array, height: int) -> Array:
    """``planes`` (h, w, c) float32, box-filtered to ``height`` at the same aspect ratio."""
    width = max(round(planes.shape[1] * height / planes.shape[0]), 1)
    small = [
        Image.fromarray(plane).resize((width, height), Image.Resampling.BOX) for plane in np.moveaxis(planes, -1, 0)
    ]
    return np.stack([np.asarray(plane) for plane in small], -1)


@lru_cache(maxsize=1 << 14)
def _header(path: Path, stamp: Stamp | None) -> tuple[int, int, int]:
    """Width, height and EXIF orientation of the picture, which was last changed at ``stamp``."""
    found = apart(decoding.header, str(path), str(path))
    if not (isinstance(found, list | tuple) and len(found) == 3 and all(type(x) is int and x > 0 for x in found)):
        raise DuplexError(f"{path}: not a PNG, JPEG, WebP or AVIF picture, or a damaged one")
    width, height, orientation = found
    return width, height, orientation


def _decoded(function: Callable[[str, int, int], Array], path: Path, size: Size) -> Array:
    """What ``function`` finds in the picture, which must be of ``size``."""
    array = apart(function, str(path), str(path), *size)
    if not isinstance(array, np.ndarray) or array.shape[:2] != size[::-1]:
        raise DuplexError(f"{path}: not a PNG, JPEG, WebP or AVIF picture, or a damaged one")
    return array
