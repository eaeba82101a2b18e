"""How long each pass takes: timer queries of the GPU, or the clock where there are none."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import moderngl


class Timers(Protocol):
    """Times passes by name."""

    def measure(self, name: str) -> AbstractContextManager[None]:
        """Count the time of the commands issued inside the ``with`` block (never nested: OpenGL forbids it)."""
        ...


class NoTimers:
    """Measures nothing."""

    def measure(self, name: str) -> AbstractContextManager[None]:
        """Let the commands run."""
        return nullcontext()


NO_TIMERS = NoTimers()


@dataclass
class PassTimers:
    """GPU time of each pass by name, in milliseconds; read a few frames late, so that no frame waits for it.

    Some drivers count nothing: :attr:`counting` is then False.
    """

    ctx: moderngl.Context
    milliseconds: dict[str, float] = field(default_factory=dict)
    _rings: dict[str, deque[moderngl.Query]] = field(default_factory=dict)

    RING = 4

    @property
    def counting(self) -> bool:
        """Whether the driver has measured any time other than 0, or has not been asked yet."""
        return not self.milliseconds or any(self.milliseconds.values())

    def forget(self) -> None:
        """Start again with another set of passes."""
        self.milliseconds.clear()
        self._rings.clear()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Count the GPU time of the commands issued inside the ``with`` block."""
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
    """For GPUs without timer queries: waits for each pass, and appends its milliseconds to ``all[name]``."""

    ctx: moderngl.Context
    all: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Count the time from an idle GPU to the end of the commands issued inside the ``with`` block."""
        self.ctx.finish()
        started = time.perf_counter()
        yield
        self.ctx.finish()
        self.all.setdefault(name, []).append(1000 * (time.perf_counter() - started))
