"""What a long run reports while it goes on: events to whoever listens, and to nobody by default.

A stage calls :func:`say` and :func:`track`; a caller listens by :func:`reporting`. The console of the commands is one
such listener, the ``progress`` argument of the Python API another. An exception that a listener raises ends the run,
which leaves its workspace resumable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class ProgressEvent:
    """A message, or one stage's progress.

    ``message``: a line for people, and then the other members are empty. ``stage``: what is being done; ``done``,
    ``total``: steps, of which an earlier run may have done some; ``note``: a few words such as a loss; ``ended``:
    whether this is the stage's last event.
    """

    message: str = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    ended: bool = False

    @property
    def share(self) -> float:
        """How much of the stage is done, in [0, 1]."""
        return self.done / self.total if self.total else 0.0


Listener = Callable[[ProgressEvent], None]
_listener: ContextVar[Listener | None] = ContextVar("progress listener", default=None)


@contextmanager
def reporting(listener: Listener | None) -> Iterator[None]:
    """Send what is reported inside the ``with`` block to ``listener``; with None the outer one goes on listening."""
    if listener is None:
        yield
        return
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def say(line: str) -> None:
    """Report one line for people."""
    _report(ProgressEvent(message=line))


@contextmanager
def track(stage: str, total: int, done: int = 0) -> Iterator[Tracker]:
    """Count the ``total`` steps of ``stage``, of which an earlier run has ``done`` some."""
    counter = Tracker(stage, max(total, 1), done)
    _report(counter.event())
    yield counter
    _report(counter.event(ended=True))


class Tracker:
    """The progress of one stage; :meth:`advance` counts."""

    def __init__(self, stage: str, total: int, done: int):
        self.stage = stage
        self.total = total
        self.done = done
        self.note = ""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count ``count`` more steps; ``note``: a few words such as a loss."""
        self.done += count
        self.note = note
        _report(self.event())

    def event(self, ended: bool = False) -> ProgressEvent:
        """Where the stage stands now."""
        return ProgressEvent(stage=self.stage, done=self.done, total=self.total, note=self.note, ended=ended)


def _report(event: ProgressEvent) -> None:
    listener = _listener.get()
    if listener is not None:
        listener(event)
