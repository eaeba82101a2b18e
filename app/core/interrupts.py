"""How signals end a command: the first one unwinds it, so that unfinished files go; a second one ends it at once.

C code can lose a KeyboardInterrupt: a callback's is printed and dropped, or it becomes another error. So it is raised
again until the command has ended. C code may also crash on one while a library is loaded, a shader is compiled or a
window draws: there it waits. A thread listens too, since the main thread answers no signal while it runs C code.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` takes longer to load than this one
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # no system has all of them
REPEAT_SECONDS = 0.1
FRAGILE = "<frozen importlib._bootstrap>", "_moderngl.py"  # Python code whose callers in C are not ready for exceptions
SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


class _Ending:
    signal = 0  # the first that came
    unwinds = False  # whether there may be something to clear
    polled = False
    told = False
    heard = False  # by the thread
    repeats = 0  # sent by this module and not heard yet


_ending = _Ending()
_answered: set[int] = set()
_telling = _thread.RLock()  # who has it may finish the sentence: nobody ends the program meanwhile


def install() -> None:
    """Answer the signals that ask a program to end; those that are ignored (``nohup``) stay so."""
    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _answer)
            _answered.add(number)
    read, write = os.pipe()
    if sys.platform != "win32":
        os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    _thread.start_new_thread(_listen, (read,))
    show = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if isinstance(lost.exc_value, KeyboardInterrupt) else show(lost)


def interruptible(command: Callable[[], int]) -> int:
    """The exit status of ``command``, which the first signal ends by a KeyboardInterrupt.

    Before and after, where nothing is unfinished, a signal ends the program at once.
    """
    _ending.unwinds = True
    try:
        status = command()
    except BaseException:
        if not _ending.signal:
            raise
    finally:
        _ending.unwinds = False
    return report() if _ending.signal else status


class Polling:
    """A context in which no signal raises an exception: the code in it asks :func:`pending`."""

    def __enter__(self) -> None:
        _ending.polled = True

    def __exit__(self, *error: object) -> None:
        _ending.polled = False


def pending() -> bool:
    """Whether a signal ends this program: whatever error comes now is its consequence."""
    return _ending.signal != 0


def report() -> int:
    """Say on stderr, once, that the command was interrupted; returns the exit status."""
    with _telling:
        if not _ending.told:
            _ending.told = pending()
            try:
                print("interrupted", file=sys.stderr, flush=True)
            except OSError:  # the terminal is gone
                _leave()
    return _status()


def _status() -> int:
    keyboard = _ending.signal in (0, getattr(signal, "SIGBREAK", 0))
    return 128 + (signal.SIGINT if keyboard else _ending.signal)


def _answer(number: int, frame: FrameType | None) -> None:
    """In the main thread: end the command, unless it is on its way out."""
    _ending.signal = _ending.signal or number
    if not _ending.told and not _ending.unwinds:
        _leave()
    if not (_ending.told or _ending.polled or _fragile(frame) or _unwinding()):
        raise KeyboardInterrupt


def _fragile(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.endswith(FRAGILE):
        frame = frame.f_back
    return frame is not None


def _unwinding() -> bool:
    """Whether the main thread is in a ``finally`` or the like that a KeyboardInterrupt has led to."""
    error = sys.exception()
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _listen(pipe: int) -> None:
    """In a thread: end the program at the second signal."""
    while number := os.read(pipe, 1)[0]:
        if number not in _answered:
            continue
        if _ending.repeats:
            _ending.repeats -= 1
            continue
        _ending.signal = _ending.signal or number
        if _ending.heard or not _ending.unwinds:
            _leave()
        _ending.heard = True
        _thread.start_new_thread(_repeat, (number,))


def _repeat(number: int) -> None:
    """In a thread: send the signal again, in case C code has lost the exception."""
    while True:
        time.sleep(REPEAT_SECONDS)
        if _ending.told:
            return
        _ending.repeats += 1
        _thread.interrupt_main(signal.Signals(number))


def _leave() -> NoReturn:
    try:
        if _telling.acquire(timeout=1) and not _ending.told:
            cursor = SHOW_CURSOR if os.isatty(2) else ""
            os.write(2, f"{cursor}interrupted\n".encode())
    finally:
        os._exit(_status())
