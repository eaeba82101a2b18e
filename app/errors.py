"""The one exception a user is meant to read."""

from __future__ import annotations

import sys
from collections.abc import Callable


class DuplexError(Exception):
    """A failure that one sentence explains: the thing, its value, what was expected, the remedy."""


def run_command(command: Callable[[], int]) -> int:
    """Run a command line's body and turn its expected failures into an exit status.

    Returns the body's own status; 2 after a :class:`DuplexError` or a failed file operation (one sentence
    on stderr, no traceback); 130 when interrupted.
    """
    try:
        return command()
    except DuplexError as error:
        sentence = str(error)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        sentence = f"{name}{error.strerror or error}"
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(f"error: {sentence}", file=sys.stderr)
    return 2
