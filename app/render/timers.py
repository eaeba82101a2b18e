"""Time of each pass: with GPU timer queries, or with the CPU clock if the driver has none."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import moderngl


class Timers(Protocol):
    """Measures the time of passes, which have names."""

    def measure(self, name: str) -> AbstractContextManager[None]:
        """Measure the commands issued inside the ``with`` block. OpenGL forbids nested timer queries."""
        ...


class NoTimers:
    """A :class:`Timers` that measures nothing."""

    def measure(self, name: str) -> AbstractContextManager[None]:
        """Run the commands without a measurement."""
        return nullcontext()


NO_TIMERS = NoTimers()


@dataclass
class PassTimers:
    """GPU time of each pass in milliseconds, from timer queries.

    ``milliseconds``: pass name to its last result. Results are read 4 frames late, so that the CPU never waits for the
    GPU. Some drivers always report 0: :attr:`counting` is then False.
    """

    ctx: moderngl.Context
    milliseconds: dict[str, float] = field(default_factory=dict)
    _rings: dict[str, deque[moderngl.Query]] = field(default_factory=dict)

    RING = 4  # queries in flight per pass

    @property
    def counting(self) -> bool:
        """Whether any measured time differs from 0, or no result exists yet."""
        return not self.milliseconds or any(self.milliseconds.values())

    def forget(self) -> None:
        """Discard all results and queries, for another set of passes."""
        self.milliseconds.clear()
        self._rings.clear()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measure the GPU time of the commands issued inside the ``with`` block."""
        ring = self._rings.setdefault(name, deque())
        if len(ring) < self.RING:
            query = self.ctx.query(time=True)
        else:
            query = ring.popleft()
            self.milliseconds[name] = query.elapsed * 1e-6
        with query:
            yield
        ring.append(query)


@dataclass
class WaitingTimers:
    """CPU clock for drivers without timer queries: waits for each pass and appends milliseconds to ``all[name]``."""

    ctx: moderngl.Context
    all: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measure from an idle GPU to the completion of the commands issued inside the ``with`` block."""
        self.ctx.finish()
        started = time.perf_counter()
        yield
        self.ctx.finish()
        self.all.setdefault(name, []).append(1000 * (time.perf_counter() - started))
