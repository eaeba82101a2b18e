"""Frames of a video to pose: as many as the camera's way needs, each the sharpest of its part of the way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from duplex.app.core.apart import apart
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.capture import video_decoding
from duplex.baking.runtime.progress import track

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".3gp")
MAX_SECONDS = 3600.0
PIECE = 4.0  # seconds that are scanned in one call
PIECE_SECONDS = 40  # of processor time for one
STEP = 1 / 12  # seconds between frames that are looked at
WAY = 0.05  # of the picture's longer side, that things move from a chosen frame to the next
FEWEST, MOST = 30, 240  # chosen frames, if the video has as many
STILL = 1e-4  # movement added to each frame, so that a camera at rest has a way too


def is_video(path: Path) -> bool:
    """Whether the name of the file ``path`` is a video's."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def chosen_times(path: Path) -> list[float]:
    """Times in seconds of the frames to pose, ascending; raises :class:`DuplexError` for what is no video."""
    found = apart(video_decoding.facts, str(path), str(path), seconds=PIECE_SECONDS)
    try:
        seconds, rate, width, height = (float(x) for x in found)
    except (TypeError, ValueError):
        seconds = rate = width = height = math.nan
    if not min(width, height) > 0 or not 0 < rate < 10_000 or not 0 <= seconds < math.inf:
        raise DuplexError(f"{path}: not a video that can be read")
    if seconds > MAX_SECONDS:
        raise DuplexError(
            f"{path}: {seconds / 60:.0f} minutes: expected at most {MAX_SECONDS / 60:.0f}: cut the part that shows the "
            "scene"
        )
    rows = _scanned(path, seconds)
    if len(rows) < 2:
        raise DuplexError(f"{path}: {len(rows)} frames: expected a video of a scene from many positions")
    return choose(rows)


def choose(rows: Array) -> list[float]:
    """Times of the frames to take, from rows (n, 3) of time, sharpness and movement."""
    way = np.cumsum(rows[:, 2] + STILL)
    count = int(np.clip(way[-1] / WAY, FEWEST, MOST))
    part = np.minimum((way / way[-1] * min(count, len(rows)) * (1 - 1e-9)).astype(int), count - 1)
    return [float(rows[part == k][rows[part == k, 1].argmax(), 0]) for k in np.unique(part)]


def read_frame(path: Path, time: float) -> Array:
    """The frame at ``time`` seconds, (h, w, 3) uint8 RGB."""
    frame = apart(video_decoding.frame_at, str(path), str(path), time, seconds=PIECE_SECONDS)
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3:
        raise DuplexError(f"{path}: not a video that can be read")
    return frame


def _scanned(path: Path, seconds: float) -> Array:
    """Rows of time, sharpness and movement, (n, 3) float64, in ascending order."""
    pieces = []
    count = max(math.ceil(seconds / PIECE), 1)
    with track("looking through the video", count) as progress:
        for i in range(count):
            found = apart(
                video_decoding.scan, str(path), str(path), i * PIECE, (i + 1) * PIECE, STEP, seconds=PIECE_SECONDS
            )
            if not isinstance(found, np.ndarray) or found.shape[1:] != (24,):
                raise DuplexError(f"{path}: not a video that can be read")
            rows = found.copy().view(np.float64)
            rows = rows[np.isfinite(rows).all(1)]
            if len(rows) > 1:  # the first of a piece was compared with nothing
                rows[0, 2] = np.median(rows[1:, 2])
            pieces.append(rows)
            progress.advance()
    return np.concatenate(pieces)
