"""COLMAP's ``cameras.txt``, ``images.txt`` and ``points3D.txt``: one record a line, an image has two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import shown
from duplex.baking.datasets.colmap.model import (
    MAX_SAMPLE,
    MAX_TRACK,
    PointRows,
    PosedImage,
    check_image_count,
    lens_of,
    model_of,
)
from duplex.baking.datasets.frames import MAX_FRAMES
from duplex.baking.datasets.lens import Lens

MAX_TEXT_BYTES = 1 << 30
MAX_LINE = 1 << 20  # characters of a record


def read_cameras(file: Path) -> dict[int, Lens]:
    """Lenses by camera id."""
    lenses = {}
    with _opened(file) as stream:
        for line in _records(stream):
            number, model, width, height, *parameters = line.split()
            where = f"{file}: camera {int(number)}"
            kind = model_of(model, where)
            if len(parameters) != kind.parameters:
                raise ValueError(f"camera {number} has {len(parameters)} parameters, {model} takes {kind.parameters}")
            numbers = tuple(float(parameter) for parameter in parameters)
            lenses[int(number)] = lens_of(kind, int(width), int(height), numbers, where)
    return lenses


def read_images(file: Path) -> list[PosedImage]:
    """The images, in the file's order."""
    images: list[PosedImage] = []
    with _opened(file) as stream:
        for line in _records(stream):
            number, *numbers, camera, name = line.split(maxsplit=9)
            values = tuple(float(value) for value in numbers)
            if len(values) != 7:
                raise ValueError("an image's line holds 10 words")
            images.append(PosedImage(name, values[:4], values[4:], int(camera), int(number)))
            _skip_line(stream)  # its points, perhaps none
            if len(images) > MAX_FRAMES:
                break
    check_image_count(len(images), str(file))
    return images


def read_points(file: Path) -> PointRows:
    """The points, or an even sample of them."""
    positions: list[tuple[float, ...]] = []
    seen_by: list[list[int]] = []
    step = 1
    with _opened(file) as stream:
        for i, line in enumerate(_records(stream)):
            if i % step:
                continue
            _, x, y, z, _, _, _, _, *track = line.split(maxsplit=8 + 2 * MAX_TRACK)
            positions.append((float(x), float(y), float(z)))
            seen_by.append([int(number) for number in track[: 2 * MAX_TRACK : 2]])
            if len(positions) == 2 * MAX_SAMPLE:
                positions, seen_by, step = positions[::2], seen_by[::2], 2 * step
        return PointRows.of(positions, seen_by)


def _records(stream: TextIO) -> Iterator[str]:
    """The lines that are neither comments nor empty."""
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise ValueError(f"a line of more than {MAX_LINE} characters")
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def _skip_line(stream: TextIO) -> None:
    while (part := stream.readline(MAX_LINE)) and not part.endswith("\n"):
        pass


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    """The file's lines; errors while reading them become a :class:`DuplexError`."""
    if file.stat().st_size > MAX_TEXT_BYTES:
        raise DuplexError(f"{file}: {file.stat().st_size} bytes: expected at most {MAX_TEXT_BYTES}: use binary files")
    try:
        with file.open(encoding="utf-8") as stream:
            yield stream
    except (ValueError, OverflowError) as error:
        raise DuplexError(f"{file}: not a COLMAP text file ({shown(error)}): export the model again") from None
