"""The progress listener of the command lines: bars in a terminal, lines in a log, both on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from duplex.app.core.errors import run_command
from duplex.baking.runtime.progress import ProgressEvent, reporting

QUIET_SECONDS = 5  # a log shows no progress of shorter stages


def run(command: Callable[[], int]) -> int:
    """Run a command's body and show its progress on stderr; returns the exit status."""

    def body() -> int:
        listener = ConsoleListener()
        try:
            with reporting(listener):
                return command()
        finally:
            listener.close()

    return run_command(body)


class ConsoleListener:
    """Shows :class:`ProgressEvent` objects on stderr; a log gets one line per quarter of a stage."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.stage: _Bar | _Log | None = None

    def __call__(self, event: ProgressEvent) -> None:
        """Show ``event``."""
        if not event.stage:
            self.console.print(event.message, markup=False, soft_wrap=True)
            return
        if self.stage is None:
            self.stage = _Bar(self.console, event) if self.console.is_terminal else _Log(self.console, event)
        self.stage.show(event)
        if event.ended:
            self.close()

    def close(self) -> None:
        """Remove the bar of the current stage; an exception or Ctrl-C can end a stage before its last event."""
        if self.stage is not None:
            self.stage.close()
            self.stage = None


class _Bar:
    def __init__(self, console: Console, event: ProgressEvent):
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self.progress = Progress(*columns, console=console, transient=True)
        self.progress.start()
        self.task: TaskID = self.progress.add_task(event.stage, total=event.total, completed=event.done, note="")

    def show(self, event: ProgressEvent) -> None:
        self.progress.update(self.task, completed=event.done, note=event.note)

    def close(self) -> None:
        self.progress.stop()


class _Log:
    def __init__(self, console: Console, event: ProgressEvent):
        self.console = console
        self.before = event.done
        self.started = time.monotonic()
        self.quarter = 4 * event.done // event.total

    def show(self, event: ProgressEvent) -> None:
        if event.done * 4 // event.total <= self.quarter:
            return
        self.quarter = event.done * 4 // event.total
        spent = time.monotonic() - self.started
        if spent < QUIET_SECONDS:
            return
        left = spent / (event.done - self.before) * (event.total - event.done)
        percent = 100 * event.done // event.total
        self.console.print(f"  {event.stage}: {percent}%, {left:.0f} s left  {event.note}", markup=False)

    def close(self) -> None:
        pass
