"""Memory: what a bake will need, and how it gets by with less when that is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from duplex.app.errors import DuplexError

GIB = 2**30
BASE = 0.7 * GIB  # Python, torch and the driver
CELL_BYTES = 40  # of a cell of the density grid, while shells are extracted from it
FACE_BYTES = 30_000  # of a face, while it is unwrapped
TEXEL_BYTES = 5 * 4  # of a feature of a texel: value, what of it is stored, gradient and two moments
CROP_BYTES = 12 * 4  # of a channel of a crop's pixel, forwards and backwards
SMALLEST_CHUNK = 256

Result = TypeVar("Result")


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch raised ``error`` because memory ran out, on a GPU or on the CPU."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in text or "can't allocate memory" in text


def with_less(function: Callable[[int], Result], size: int, smallest: int = SMALLEST_CHUNK) -> tuple[Result, int]:
    """``function(size)``, or of half the size, and so on, as long as memory runs out; and the size that went.

    Raises :class:`DuplexError` when even ``smallest`` does not fit.
    """
    while True:
        try:
            return function(size), size
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        if size <= smallest:
            raise DuplexError("memory ran out, even for the smallest portion: close other programs, or --device cpu")
        size = max(size // 2, smallest)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
