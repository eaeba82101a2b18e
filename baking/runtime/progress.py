"""What a bake says while it runs: one line a stage, and a bar when somebody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

QUIET_SECONDS = 5
console = Console(stderr=True, highlight=False)


@contextmanager
def bar(label: str, total: int, done: int = 0) -> Iterator[Bar]:
    """A progress bar over ``total`` steps, of which an earlier run has ``done`` some.

    A log without a terminal gets a line a quarter instead.
    """
    if console.is_terminal:
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield Bar(label, total, done, progress)
    else:
        yield Bar(label, total, done, None)


class Bar:
    """One stage's progress; :meth:`advance` counts, ``note`` is shown beside."""

    def __init__(self, label: str, total: int, done: int, progress: Progress | None):
        self.label, self.total, self.progress = label, max(total, 1), progress
        self.done, self.before, self.started, self.quarter = done, done, time.monotonic(), 4 * done // self.total
        self.task = progress.add_task(label, total=self.total, completed=done, note="") if progress else None

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count ``steps`` more; ``note`` is a few words such as a loss."""
        self.done += steps
        if self.progress and self.task is not None:
            self.progress.update(self.task, completed=self.done, note=note)
        elif self.done * 4 // self.total > self.quarter:
            self.quarter = self.done * 4 // self.total
            spent = time.monotonic() - self.started
            if spent < QUIET_SECONDS:
                return
            left = spent / (self.done - self.before) * (self.total - self.done)
            console.print(f"  {self.label}: {100 * self.done // self.total}%, {left:.0f} s left  {note}", markup=False)


def say(line: str) -> None:
    """One line on stderr."""
    console.print(line, markup=False, soft_wrap=True)


def peak_memory_gib() -> float:
    """The most memory this process has held, in GiB (0 where the system does not tell)."""
    if sys.platform == "win32":
        return 0.0
    import resource  # Unix only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
