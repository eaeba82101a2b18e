"""What is done with a stranger's video: called in another process, in short pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError

MAX_SIDE = 8192
SMALL = 320  # pixels of the longer side at which frames are compared
TILES = 4  # along each side, whose shifts are measured
TEXTURE = 4.0  # standard deviation of a tile's grey levels, below which its shift says nothing


def facts(path: str) -> list[float]:
    """Seconds, frames a second, width and height of the video, upright."""
    with _opened(path) as (container, stream):
        seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        frame = next(iter(container.decode(stream)), None)
        if frame is None:
            raise DuplexError(f"{path}: a video without frames: record it again")
        height, width = _upright(frame, frame.width, frame.height).shape[:2]
        return [seconds, rate, width, height]


def scan(path: str, start: float, end: float, step: float) -> Array:
    """Rows of time, sharpness and movement of frames between ``start`` and ``end``, about ``step`` seconds apart.

    Sharpness: variance of the Laplacian of the small grey frame; movement: median shift of its tiles since the frame
    before, as a share of its longer side, 0 for the first. (n, 3) float64 as bytes (n, 24) uint8; a row of NaN where
    there is no frame.
    """
    rows: list[tuple[float, float, float]] = []
    before = None
    for time, frame in _frames(path, start, end):
        if rows and time < rows[-1][0] + step:
            continue
        share = SMALL / max(frame.width, frame.height)
        size = max(round(frame.width * share), 1), max(round(frame.height * share), 1)
        grey = frame.to_ndarray(width=size[0], height=size[1], format="gray").astype(np.float32)
        rows.append((time, _sharpness(grey), 0.0 if before is None else _movement(before, grey)))
        before = grey
    table = np.array(rows or [(np.nan,) * 3], np.float64)
    return table.view(np.uint8).reshape(len(table), -1)


def frame_at(path: str, time: float) -> Array:
    """The first frame at or after ``time`` seconds, upright: (h, w, 3) uint8 RGB."""
    for _, frame in _frames(path, time, time + 10):
        return _upright(frame, frame.width, frame.height)
    raise DuplexError(f"{path}: no frame at {time:.2f} s: a damaged video: export it again")


def _frames(path: str, start: float, end: float) -> Iterator[tuple[float, Any]]:
    """The frames between two times in seconds."""
    with _opened(path) as (container, stream):
        if start > 0:
            container.seek(int(start / stream.time_base), stream=stream, backward=True)
        for frame in container.decode(stream):
            if frame.time is None or frame.time < start - 1e-4:
                continue
            if frame.time >= end:
                return
            yield float(frame.time), frame


class _opened:
    """The video in ``path`` and its first stream; any error of FFmpeg becomes a :class:`DuplexError`."""

    def __init__(self, path: str):
        self.path = path
        self.container: Any = None

    def __enter__(self) -> tuple[Any, Any]:
        import av

        try:
            self.container = av.open(self.path, options={"protocol_whitelist": "file"})
            stream = self.container.streams.video[0]
            width, height = stream.codec_context.width, stream.codec_context.height
        except (OSError, ValueError, IndexError, av.error.FFmpegError) as error:
            raise DuplexError(f"{self.path}: not a video that can be read ({error})") from None
        if not 0 < max(width, height) <= MAX_SIDE:
            raise DuplexError(f"{self.path}: {width} x {height}: expected at most {MAX_SIDE} pixels a side: shrink it")
        stream.thread_type = "NONE"
        return self.container, stream

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import av

        if self.container is not None:
            self.container.close()
        if isinstance(error, av.error.FFmpegError | ValueError):
            raise DuplexError(f"{self.path}: a damaged video ({error}): export it again") from None


def _upright(frame: Any, width: int, height: int) -> Array:
    """The frame in colour, turned as its display matrix says."""
    picture = frame.to_ndarray(width=width, height=height, format="rgb24")
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90) % 4))


def _sharpness(grey: Array) -> float:
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


def _movement(before: Array, now: Array) -> float:
    """The median shift of tiles by phase correlation, as a share of the longer side."""
    high, wide = (side // TILES for side in now.shape)
    window = np.hanning(high)[:, None] * np.hanning(wide)
    shifts = []
    for row in range(TILES):
        for column in range(TILES):
            place = slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide)
            a, b = before[place], now[place]
            if min(a.std(), b.std()) > TEXTURE:
                shifts.append(_shift((a - a.mean()) * window, (b - b.mean()) * window))
    return float(np.median(shifts)) / max(now.shape) if shifts else 0.0


def _shift(a: Array, b: Array) -> float:
    """Pixels by which ``b`` is shifted against ``a``."""
    product = np.fft.rfft2(a) * np.conj(np.fft.rfft2(b))
    peak = np.fft.irfft2(product / np.maximum(np.abs(product), 1e-9), a.shape)
    place = np.unravel_index(int(peak.argmax()), a.shape)
    return float(np.hypot(*(min(int(x), side - int(x)) for x, side in zip(place, a.shape, strict=True))))
