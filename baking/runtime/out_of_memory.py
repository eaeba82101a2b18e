"""Retry with half the batch when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from duplex.app.core.errors import DuplexError, out_of_memory

SMALLEST_BATCH = 256

Result = TypeVar("Result")


class OutOfMemory(DuplexError, RuntimeError):
    """Memory ran out even for the smallest batch; an outer retry may still succeed with a smaller batch of its own."""


def retry_with_less(function: Callable[[int], Result], size: int, smallest: int = SMALLEST_BATCH) -> tuple[Result, int]:
    """Call ``function(size)``, and halve the size while memory runs out. Returns the result and the size that fitted.

    Raises :class:`OutOfMemory` when even ``smallest`` does not fit.
    """
    while True:
        try:
            return function(size), size
        except RuntimeError as error:
            if not isinstance(error, OutOfMemory) and not out_of_memory(error):
                raise
        if size <= smallest:
            raise OutOfMemory(
                f"memory ran out, even for {size} of them at once (points, rays or crops): expected room for those: "
                "close other programs, give a smaller --crop-size or --view-size, or another --device"
            )
        size = max(size // 2, smallest)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
