"""Programs that get a signal once they are ready for it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")


def start(command: list[str], **options: object) -> subprocess.Popen[str]:
    """``command`` in a process group of its own."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True, **options)  # type: ignore[call-overload,no-any-return]


def answers(pid: int) -> bool:
    """Whether the program has a handler of its own for SIGTERM: Python has none."""
    try:
        (caught,) = (x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("SigCgt:"))
    except (OSError, ValueError):
        return False
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def wait_until_it_answers(process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 30
    while not answers(process.pid) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.001)


def end(process: subprocess.Popen[str], number: int, times: int = 1, apart: float = 0.1) -> tuple[int, str, float]:
    """Send a signal to the group; exit status, what is on stderr, and seconds until the end."""
    began = time.monotonic()
    for i in range(times):
        time.sleep(apart if i else 0)
        if process.poll() is None:
            os.killpg(process.pid, number)
    try:
        _, errors = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        errors = process.communicate()[1] + "SWALLOWED"
    return process.returncode, errors, time.monotonic() - began
