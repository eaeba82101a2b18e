"""A run in a forked process: it saves the imports, so that most of its life is worth killing."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from duplex.app.core import interrupts

TIMEOUT = 180  # seconds
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit ``status`` (negative: the signal that killed it), what it printed, ``seconds``."""

    status: int
    printed: str
    seconds: float


def fork(folder: Path, body: Callable[[], int], printed: int, limit: int | None = None) -> int:
    """Run ``body`` in a child in ``folder``; returns its process id.

    ``printed``: the descriptor to which it prints; ``limit``: of the size of any file, in bytes.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until the child can answer them
    process = os.fork()
    if process:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        return process
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        for number in ENDING:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        interrupts.install()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        status = interrupts.interruptible(body)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run(
    folder: Path,
    body: Callable[[], int],
    *,
    after: float | None = None,
    number: signal.Signals = signal.SIGKILL,
    limit: int | None = None,
) -> Ended:
    """Run ``body`` to its end, or send it the signal ``number`` ``after`` that many seconds."""
    started = time.monotonic()
    read, write = os.pipe()  # which holds more than a run prints, and which no limit of files touches
    process = fork(folder, body, write, limit)
    os.close(write)
    status = None
    while status is None:
        spent = time.monotonic() - started
        if after is not None and spent >= after:
            os.kill(process, number)
            after = None
        if spent > TIMEOUT:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.002 if after is not None else 0.005)
        found, code = os.waitpid(process, os.WNOHANG)
        if found:
            status = os.waitstatus_to_exitcode(code)
    with os.fdopen(read, encoding="utf-8", errors="replace") as stream:
        return Ended(status, stream.read(), time.monotonic() - started)
