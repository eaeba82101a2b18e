"""Several views rendered in parallel on a CPU's cores.

The operations of one view are too small to parallelise well: two threads with a view each are faster than two threads
that share one view, and the pictures are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from duplex.app.core.arrays import Array

MAX_PARALLEL_VIEWS = 8  # each view takes memory of its own

Map = Callable[[Callable[[int], Array], Iterable[int]], Iterable[Array]]


def parallel_views(device: torch.device) -> int:
    """The number of views that ``device`` renders at once."""
    return min(torch.get_num_threads(), MAX_PARALLEL_VIEWS) if device.type == "cpu" else 1


@contextmanager
def one_view_a_thread(device: torch.device) -> Iterator[Map]:
    """A ``map`` over views in :func:`parallel_views` threads, each with an equal share of torch's threads."""
    threads = torch.get_num_threads()
    count = parallel_views(device)
    if count == 1:
        yield map
        return
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(max(threads // count, 1),)) as pool:
            try:
                yield pool.map
            except BaseException:  # Ctrl-C, say: views that nobody waits for are not begun
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        torch.set_num_threads(threads)
