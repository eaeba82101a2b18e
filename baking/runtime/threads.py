"""Views beside one another on a CPU's cores.

The operations of a view are too small to share: two threads that each render a view of their own do more than two that
share one, and the pictures are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from duplex.app.core.arrays import Array

AT_MOST = 8  # each of them takes memory of its own

Map = Callable[[Callable[[int], Array], Iterable[int]], Iterable[Array]]


def beside(device: torch.device) -> int:
    """How many views are rendered at once on ``device``."""
    return min(torch.get_num_threads(), AT_MOST) if device.type == "cpu" else 1


@contextmanager
def one_view_a_thread(device: torch.device) -> Iterator[Map]:
    """A ``map`` that calls its function in :func:`beside` threads, each of which has torch's work to itself."""
    threads, count = torch.get_num_threads(), beside(device)
    if count == 1:
        yield map
        return
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(max(threads // count, 1),)) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
