"""Progress on stderr: bars in a terminal, lines in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from duplex.app.core.errors import DuplexError
from duplex.baking.commands import console
from duplex.baking.commands.console import ConsoleListener
from duplex.baking.runtime.progress import say, track

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"


@pytest.mark.parametrize("error", [DuplexError("a sentence"), KeyboardInterrupt()])
def test_an_error_during_a_stage_removes_the_bar(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO()

    class Listener(ConsoleListener):
        def __init__(self) -> None:
            super().__init__()
            self.console = Console(file=terminal, force_terminal=True)

    monkeypatch.setattr(console, "ConsoleListener", Listener)

    def command() -> int:
        with track("density", 10) as progress:
            progress.advance()
            raise error

    assert console.run(command) in (2, 130)
    written = terminal.getvalue()
    assert "density" in written and written.rfind(SHOW_CURSOR) > written.rfind(HIDE_CURSOR) > -1
    assert capsys.readouterr().err in ("error: a sentence\n", "interrupted\n")


def test_a_log_gets_messages_and_no_bars(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        say("density ...")
        with track("density", 4) as progress:
            progress.advance(4)
        return 0

    assert console.run(command) == 0
    assert capsys.readouterr().err == "density ...\n"
