"""The one exception a user is meant to read."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable


class DuplexError(Exception):
    """A failure that one sentence explains: the thing, its value, what was expected, the remedy."""

    status = 2


class NoDisplayError(DuplexError):
    """There is no screen to open a window on; ``status`` lets a caller draw without one instead."""

    status = 3


WITHOUT_WINDOW = "or draw without a window with --screenshot picture.png or --turntable -o turn.mp4"


def run_command(command: Callable[[], int]) -> int:
    """Run a command line's body and turn its expected failures into an exit status.

    Returns the body's own status; the error's (2) after a :class:`DuplexError`, 2 after a failed file operation
    (one sentence on stderr, no traceback); 130 when interrupted.
    """
    status = 2
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's encoding lacks is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        return command()
    except DuplexError as error:
        sentence, status = sentence_of(error), error.status
    except OSError as error:
        sentence = sentence_of(error)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        words = str(error).splitlines()[0][:160] if str(error) else "no room for an array"
        sentence = f"memory ran out ({words}): close other programs, or give smaller settings or another --device"
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(f"error: {printable(sentence)}", file=sys.stderr)
    return status


def printable(text: str) -> str:
    """``text`` from a stranger as a terminal, a title or a widget can show it: what is no character becomes ``?``."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def out_of_memory(error: Exception) -> bool:
    """Whether ``error`` says that memory ran out: Python's, the CPU's or a GPU's."""
    text = str(error).lower()
    said = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
    return isinstance(error, MemoryError) or any(words in text for words in said)


def sentence_of(error: Exception) -> str:
    """What to tell of ``error``: its own words, or the operating system's with the file's name."""
    if not isinstance(error, OSError):
        return str(error).strip()
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
