"""The exceptions whose message users see, and how a command reports them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

from duplex.app.core import interrupts


class DuplexError(Exception):
    """An expected failure with a message for the user.

    The message is one sentence that names the thing, its value, what was expected and the remedy. ``status`` is the
    exit status of a command that fails with this error.
    """

    status = 2


class NoDisplayError(DuplexError):
    """No display is available to open a window on.

    Its own exit status (3) tells a caller to render to a file instead.
    """

    status = 3


MAX_SENTENCE = 300  # characters that a user sees of an error
WITHOUT_WINDOW = "or draw without a window with --screenshot picture.png or --turntable -o turn.mp4"


def run_command(command: Callable[[], int]) -> int:
    """Run the body of a command and return its exit status.

    Expected failures print one sentence on stderr and no traceback. The status is that of ``command`` on success, of
    the error for a :class:`DuplexError`, 2 for a failed file operation or when memory runs out, and 130 when the
    user interrupts. Other exceptions propagate.
    """
    status = 2
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # print names that the terminal's encoding lacks as escapes, do not fail
            stream.reconfigure(errors="backslashreplace")
    try:
        return command()
    except DuplexError as error:
        sentence = sentence_of(error)
        status = error.status
    except OSError as error:
        sentence = sentence_of(error)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        words = str(error).splitlines()[0][:160] if str(error) else "no room for an array"
        sentence = f"memory ran out ({words}): close other programs, or give smaller settings or another --device"
    except KeyboardInterrupt:
        return interrupts.report()
    if interrupts.pending():
        return interrupts.report()
    print(f"error: {printable(sentence)}", file=sys.stderr)
    return status


def printable(text: str) -> str:
    """Untrusted ``text`` made safe for a terminal, a window title or a widget.

    Every unprintable character except a line feed becomes ``?``.
    """
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def out_of_memory(error: Exception) -> bool:
    """Whether ``error`` reports that Python, the CPU allocator or a GPU ran out of memory."""
    text = str(error).lower()
    phrases = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
    return isinstance(error, MemoryError) or any(phrase in text for phrase in phrases)


def sentence_of(error: Exception) -> str:
    """The message of ``error`` for the user, on one line of at most 300 characters.

    For an OSError these are the file name and the operating system's description.
    """
    text = str(error)
    if isinstance(error, OSError):
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    return in_short(" ".join(text.split("\n")).strip(), MAX_SENTENCE)


def in_short(text: str, most: int) -> str:
    """``text`` without its middle if it has more than ``most`` characters."""
    if len(text) <= most:
        return text
    end = (most - 3) // 2
    return f"{text[: most - 3 - end]}...{text[-end:]}"
