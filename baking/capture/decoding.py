"""What is done with the bytes of a stranger's photo: called in another process."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image
from PIL.ExifTags import IFD, Base

from duplex.app.core.arrays import Array
from duplex.baking.datasets.decoding import TURNS, opened, orientation_of

FILM_DIAGONAL = math.hypot(36, 24)  # millimetres, to which focal lengths of the 35 mm format belong
FOCAL_RANGE = (4, 2000)  # millimetres in that format, beyond which a tag is wrong
MAX_TEXT = 80
TURNED = 5  # the first orientation in which width and height change places


def tags(path: str) -> list[Any]:
    """Width and height of the photo upright, its orientation tag, focal length in the 35 mm format, and its camera.

    The focal length is 0 where it is unknown, the camera's text empty.
    """
    with opened(path) as image:
        orientation = orientation_of(image)
        width, height = image.size[::-1] if orientation >= TURNED else image.size
        focal, camera = 0.0, ""
        try:
            exif = Image.Image.getexif(image)
            inside = exif.get_ifd(IFD.Exif)
            value = float(inside.get(Base.FocalLengthIn35mmFilm, 0))
            focal = value if FOCAL_RANGE[0] <= value <= FOCAL_RANGE[1] else 0.0
            names = (exif.get(Base.Make), exif.get(Base.Model), inside.get(Base.LensModel))
            camera = " ".join(str(name)[:MAX_TEXT] for name in names if name)
        except Exception:  # noqa: S110 - damaged data are no data; Pillow's reader raises whatever its parser meets
            pass
        return [width, height, orientation, focal, camera]


def upright(path: str, longest: int) -> Array:
    """The photo upright, shrunk to ``longest`` pixels along its longer side unless that is 0: (h, w, 4) uint8 RGBA."""
    with opened(path) as image:
        turn = TURNS.get(orientation_of(image))
        shares = min(longest / max(image.size), 1) if longest else 1
        size = (max(round(image.width * shares), 1), max(round(image.height * shares), 1))
        small = image if size == image.size else _in_eight_bits(image).resize(size, Image.Resampling.BOX)
        return np.asarray(_in_eight_bits(small if turn is None else small.transpose(turn)))


def _in_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image if image.mode == "RGBA" else image.convert("RGBA")
