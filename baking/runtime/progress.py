"""Progress of a long run: events for a listener, or for nobody by default.

A stage calls :func:`say` and :func:`track`; a caller sets the listener with :func:`reporting`. The console of the
commands is one listener, the ``progress`` argument of the Python API is another. An exception in a listener ends the
run and leaves its workspace resumable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class ProgressEvent:
    """A message, or the progress of one stage.

    ``message``: a readable line; the other members are then empty. ``stage``: its name; ``done``, ``total``: steps,
    including those of an interrupted run; ``note``: a short text such as a loss; ``ended``: whether this is the stage's
    last event.
    """

    message: str = ""
    stage: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    ended: bool = False

    @property
    def share(self) -> float:
        """The completed share of the stage, in [0, 1]."""
        return self.done / self.total if self.total else 0.0


Listener = Callable[[ProgressEvent], None]
_listener: ContextVar[Listener | None] = ContextVar("progress listener", default=None)


@contextmanager
def reporting(listener: Listener | None) -> Iterator[None]:
    """Send events inside the ``with`` block to ``listener``; None keeps the outer listener."""
    if listener is None:
        yield
        return
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def say(line: str) -> None:
    """Report one readable line."""
    _report(ProgressEvent(message=line))


@contextmanager
def track(stage: str, total: int, done: int = 0) -> Iterator[Tracker]:
    """Count the ``total`` steps of ``stage``; an interrupted run has already completed ``done`` of them."""
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
        """Count ``count`` more steps; ``note``: a short text such as a loss."""
        self.done += count
        self.note = note
        _report(self.event())

    def event(self, ended: bool = False) -> ProgressEvent:
        """The stage's progress as an event."""
        return ProgressEvent(stage=self.stage, done=self.done, total=self.total, note=self.note, ended=ended)


def _report(event: ProgressEvent) -> None:
    listener = _listener.get()
    if listener is not None:
        listener(event)
