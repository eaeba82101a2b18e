"""Bounds of time that hold on every machine."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

YARDSTICK_SECONDS = 0.015
"""What ``yardstick`` takes on the machine in whose seconds the bounds are stated."""


def yardstick() -> float:
    """Seconds of a fixed piece of plain Python: how fast this machine is just now."""
    start, kept = time.process_time(), {}
    for i in range(100_000):
        kept[i & 1023] = str(i)
    return time.process_time() - start


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """The body must not take more processor time than this, as many times longer as this machine is slower.

    What traces lines, as the measuring of coverage does, rests meanwhile: its cost is not the body's.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    before = yardstick()
    start = time.process_time()
    try:
        yield
        spent = time.process_time() - start
        slower = max(before, yardstick(), YARDSTICK_SECONDS) / YARDSTICK_SECONDS
    finally:
        sys.settrace(tracer)
    assert spent < seconds * slower, f"{spent:.1f} s, on a machine {slower:.1f} times slower than the stated one"
