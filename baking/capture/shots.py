"""The photos of a folder without cameras: which files they are, how large, and what they tell of their lens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from duplex.app.core.apart import apart
from duplex.app.core.errors import DuplexError
from duplex.baking.capture import decoding
from duplex.baking.datasets.photos import MAX_NOTES, left_out
from duplex.baking.datasets.pictures import pictures_in
from duplex.baking.runtime.progress import say, track

FOLDERS = (".", "images", "input", "photos", "rgb")  # where a capture keeps its photos
FEWEST, MOST = 3, 1000  # photos


@dataclass(frozen=True)
class Shot:
    """A photo without a pose.

    ``path``: its file; ``width``, ``height``: upright, pixels; ``is_upright``: whether the file stores it so;
    ``focal``: its focal length by EXIF, pixels, None where unknown; ``camera``: the names of camera and lens.
    """

    path: Path
    width: int
    height: int
    is_upright: bool = True
    focal: float | None = None
    camera: str = ""

    @property
    def lens(self) -> tuple[int, int, float | None, str]:
        """Equal for photos that one lens took at one focal length and one size."""
        return self.width, self.height, self.focal, self.camera


def photos_of(folder: Path) -> list[Path]:
    """The picture files of a capture, sorted by name: those of ``folder`` or of the first usual folder in it."""
    for name in FOLDERS:
        found = pictures_in(folder / name, folder)
        if found:
            return found
    return []


def read_shots(paths: list[Path]) -> list[Shot]:
    """The photos that can be read, with a note for each other; raises :class:`DuplexError` for too few or too many."""
    shots: list[Shot] = []
    errors: list[DuplexError] = []
    where = paths[0].parent
    if len(paths) > MOST:
        raise DuplexError(f"{where}: {len(paths)} photos: expected at most {MOST}: take every few of them")
    with track("reading photos", len(paths)) as progress:
        for path in paths:
            try:
                shots.append(_shot(path))
            except DuplexError as error:
                errors.append(error)
            progress.advance()
    for each in errors[:MAX_NOTES]:
        say(left_out(each))
    if len(errors) > MAX_NOTES:
        say(f"note: {len(errors) - MAX_NOTES} more photos cannot be read")
    if len(shots) < FEWEST:
        raise DuplexError(
            f"{where}: {len(shots)} photos that can be read: expected at least {FEWEST}, better 30, that overlap: take "
            "more from positions a step apart"
        )
    return shots


def _shot(path: Path) -> Shot:
    found = apart(decoding.tags, str(path), str(path))
    try:
        width, height, orientation, film, camera = found
        good = min(width, height) > 0 and all(type(x) is int for x in (width, height, orientation))
    except (TypeError, ValueError):
        good = False
    if not good or not (isinstance(film, int | float) and math.isfinite(film) and isinstance(camera, str)):
        raise DuplexError(f"{path}: not a picture that can be read")
    focal = round(film / decoding.FILM_DIAGONAL * math.hypot(width, height), 1) if film > 0 else None
    return Shot(path, width, height, orientation == 1, focal, camera)
