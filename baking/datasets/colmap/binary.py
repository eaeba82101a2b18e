"""COLMAP's ``cameras.bin``, ``images.bin`` and ``points3D.bin``: little-endian; counts are checked before use."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.baking.datasets.colmap.model import (
    MAX_SAMPLE,
    MAX_TRACK,
    MODEL_NAMES,
    PointRows,
    PosedImage,
    check_image_count,
    lens_of,
    model_of,
)
from duplex.baking.datasets.lens import Lens
from duplex.baking.datasets.pictures import MAX_NAME

COUNT = Struct("<Q")
CAMERA = Struct("<iiQQ")  # id, model, width, height; then the parameters
IMAGE = Struct("<i7di")  # id, quaternion, translation, camera; then the name, its 0, and the points
POINT = Struct("<Q3d3Bd")  # id, position, colour, error; then the track
POINT_2D_BYTES, TRACK_BYTES = 24, 8


def read_cameras(file: Path) -> dict[int, Lens]:
    """Lenses by camera id."""
    lenses = {}
    with _mapped(file) as cursor:
        for _ in range(cursor.count(CAMERA.size + 3 * 8)):
            number, model, width, height = cursor.take(CAMERA)
            where = f"{file}: camera {number}"
            kind = model_of(MODEL_NAMES[model] if 0 <= model < len(MODEL_NAMES) else f"number {model}", where)
            lenses[number] = lens_of(kind, width, height, cursor.take(Struct(f"<{kind.parameters}d")), where)
    return lenses


def read_images(file: Path) -> list[PosedImage]:
    """The images, in the file's order."""
    images = []
    with _mapped(file) as cursor:
        count = cursor.count(IMAGE.size + 1 + COUNT.size)
        check_image_count(count, str(file))
        for _ in range(count):
            row = cursor.take(IMAGE)
            images.append(PosedImage(cursor.text(), row[1:5], row[5:8], row[8], row[0]))
            cursor.skip(cursor.count(POINT_2D_BYTES) * POINT_2D_BYTES)
    return images


def read_points(file: Path) -> PointRows:
    """The points, or an even sample of them."""
    positions, seen_by = [], []
    with _mapped(file) as cursor:
        count = cursor.count(POINT.size + COUNT.size)
        step = max(-(-count // MAX_SAMPLE), 1)
        for i in range(count):
            row = cursor.take(POINT)
            track = cursor.count(TRACK_BYTES)
            if i % step:
                cursor.skip(track * TRACK_BYTES)
                continue
            positions.append(row[1:4])
            seen_by.append(list(cursor.take(Struct(f"<{2 * min(track, MAX_TRACK)}i"))[::2]))
            cursor.skip((track - min(track, MAX_TRACK)) * TRACK_BYTES)
    return PointRows.of(positions, seen_by)


class _Cursor:
    """A read position in a file's bytes that never moves past their end."""

    def __init__(self, content: Any, file: Path) -> None:
        self._content = content
        self._file = file
        self._at = 0

    def take(self, layout: Struct) -> tuple[Any, ...]:
        start = self._at
        self.skip(layout.size)
        return layout.unpack_from(self._content, start)

    def skip(self, size: int) -> None:
        left = len(self._content) - self._at
        if size > left:
            raise DuplexError(f"{self._file}: {left} bytes left of {size}: cut off or damaged: copy it again")
        self._at += size

    def count(self, least: int) -> int:
        """A number of records of at least ``least`` bytes each."""
        (count,) = self.take(COUNT)
        left = len(self._content) - self._at
        if count * least > left:
            raise DuplexError(
                f"{self._file}: {count} records announced, {left} bytes left: expected at least {least} bytes for "
                "each: cut off or damaged: copy it again"
            )
        return int(count)

    def text(self) -> str:
        """A name up to the 0 after it."""
        end = self._content.find(b"\0", self._at, self._at + MAX_NAME + 1)
        if end < 0:
            raise DuplexError(f"{self._file}: a name without an end: expected at most {MAX_NAME} bytes: copy it again")
        name = self._content[self._at : end].decode("utf-8", "replace")
        self._at = end + 1
        return str(name)


@contextmanager
def _mapped(file: Path) -> Iterator[_Cursor]:
    with file.open("rb") as stream:
        if file.stat().st_size < COUNT.size:
            raise DuplexError(f"{file}: {file.stat().st_size} bytes: cut off or damaged: copy it again")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield _Cursor(content, file)
