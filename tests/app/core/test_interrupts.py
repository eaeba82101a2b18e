"""Signals that end a command: it clears up, says so in one line, and C code cannot lose them."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from builders.signals import end, start

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to other programs"),
]

PROGRAM = """
import ctypes, hashlib, os, sys, time
from pathlib import Path
from duplex.app.core import interrupts
from duplex.app.core.errors import DuplexError, run_command

def ready():
    print("ready", flush=True)

def sleep():
    for _ in range(2000):
        time.sleep(0.005)

def body():
{body}
    return 0

interrupts.install()
sys.exit(interrupts.interruptible(lambda: run_command(body)))
"""

SWALLOWED = {
    "a callback from C": """
        @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        def compare(a, b):
            ready()
            sleep()
            return 0
        ctypes.CDLL(None).qsort((ctypes.c_int * 2)(2, 1), 2, 4, compare)
        sleep()
    """,
    "a finaliser": """
        class Resource:
            def __del__(self):
                ready()
                sleep()
        Resource()
        sleep()
    """,
    "a handler of everything": """
        ready()
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                pass
            else:
                continue
            break
        sleep()
    """,
    "another error": """
        ready()
        try:
            sleep()
        except KeyboardInterrupt:
            raise ImportError("numpy.core.multiarray failed to import") from None
    """,
    "a sentence": """
        ready()
        try:
            sleep()
        except KeyboardInterrupt:
            raise DuplexError("a file: damaged") from None
    """,
    "nothing": """
        ready()
        sleep()
    """,
}


def program(body: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(body=textwrap.indent(textwrap.dedent(body), "    "))]


@pytest.mark.parametrize("body", SWALLOWED.values(), ids=SWALLOWED)
def test_what_swallows_it_does_not_keep_it(body: str) -> None:
    process = start(program(body))
    assert process.stdout and process.stdout.readline() == "ready\n"
    status, errors, seconds = end(process, signal.SIGINT)
    assert (status, errors) == (130, "interrupted\n") and seconds < 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_command_clears_up_however_long_it_takes(number: int, status: int, tmp_path: Path) -> None:
    file = tmp_path / "unfinished"
    process = start(
        program(f"""
        file = Path({str(file)!r})
        file.touch()
        try:
            ready()
            sleep()
        finally:
            time.sleep(0.4)
            sum(range(1000000))
            time.sleep(0.4)  # longer than it takes until the signal is sent again
            file.unlink()
    """)
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    assert end(process, number)[:2] == (status, "interrupted\n")
    assert not file.exists()


@pytest.mark.parametrize(
    "body",
    [
        "ready(); hashlib.pbkdf2_hmac('sha256', b'', b'', 200_000_000)",
        "ready()\ntry: sleep()\nfinally: time.sleep(20)",
        "ready()\ntry: sleep()\nfinally: hashlib.pbkdf2_hmac('sha256', b'', b'', 200_000_000)",
    ],
    ids=["in C code", "while it clears up", "in C code while it clears up"],
)
def test_a_second_one_ends_it_at_once(body: str) -> None:
    process = start(program(body))
    assert process.stdout and process.stdout.readline() == "ready\n"
    status, errors, seconds = end(process, signal.SIGINT, times=2)
    assert (status, errors) == (130, "interrupted\n") and seconds < 1


def test_a_second_one_does_not_cut_the_sentence_off() -> None:
    process = start(
        program("""
        class Slow(type(sys.stderr)):
            def write(self, text):
                written = super().write(text)
                self.flush()
                time.sleep(0.2)
                return written
        sys.stderr = Slow(sys.stderr.buffer)
        ready()
        sleep()
    """)
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    assert end(process, signal.SIGINT, times=2)[:2] == (130, "interrupted\n")


@pytest.mark.parametrize(
    ("name", "head", "use"),
    [
        ("library", "if True:", "import library"),
        ("package", "class Made:", "import package"),
        (
            "_moderngl",
            "def make_uniform():",
            "from _moderngl import make_uniform; make_uniform()",
        ),  # as C code calls it
    ],
)
def test_where_c_code_would_crash_a_signal_waits(name: str, head: str, use: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(f"""
import os, time
{head}
    try:
        print("ready", flush=True)
        for _ in range(100):
            time.sleep(0.01)
    except BaseException:
        os.abort()
""")
    process = start(program(f"{use}\nsleep()"), cwd=tmp_path)
    assert process.stdout and process.stdout.readline() == "ready\n"
    status, errors, seconds = end(process, signal.SIGINT)
    assert (status, errors) == (130, "interrupted\n") and seconds < 3


def test_where_signals_are_asked_for_none_raises_an_exception() -> None:
    process = start(
        program("""
        with interrupts.Polling():
            try:
                ready()
                while not interrupts.pending():
                    time.sleep(0.01)
                time.sleep(0.5)
            except BaseException:
                os.abort()
    """)
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    assert end(process, signal.SIGTERM)[:2] == (143, "interrupted\n")


def test_what_is_ignored_stays_ignored() -> None:
    body = "ready()\ntime.sleep(0.5)\nprint('done')"
    process = start(["nohup", *program(body)])
    assert process.stdout and process.stdout.readline() == "ready\n"
    status, errors, _ = end(process, signal.SIGHUP)
    assert status == 0 and "interrupted" not in errors


def test_before_and_after_the_command_it_ends_at_once() -> None:
    code = """
import sys, time
from duplex.app.core import interrupts
interrupts.install()
{}
try:
    print("ready", flush=True)
    time.sleep(20)
except BaseException:
    print("unwound")
"""
    for before in ("", "interrupts.interruptible(lambda: 0)"):
        process = start([sys.executable, "-c", code.format(before)])
        assert process.stdout and process.stdout.readline() == "ready\n"
        assert end(process, signal.SIGINT)[:2] == (130, "interrupted\n")
