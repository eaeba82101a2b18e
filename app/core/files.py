"""Writing files so that nothing the user had is ever lost or half-written."""

from __future__ import annotations

import os
from pathlib import Path

from duplex.app.core.errors import DuplexError

Stamp = tuple[int, int]


def expanded(path: Path) -> Path:
    """``path`` as a user typed it, ``~`` being somebody's home; raises :class:`DuplexError` where there is none."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise DuplexError(f"{path}: no such user's home: expected a path that begins with / or ~/") from None


def stamp_of(path: Path) -> Stamp | None:
    """When ``path`` was changed, and its size in bytes; None where there is no such file."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # or what no file can be called
        return None
    return found.st_mtime_ns, found.st_size


def write_atomically(path: Path, content: bytes, beside: Path | None = None) -> None:
    """Write ``content`` beside ``path`` and rename it into place; the old file stays until the new one is whole.

    ``beside``: another folder of the same file system for the unfinished file. Raises OSError, naming ``path``.
    """
    unfinished = unfinished_file(path, beside)
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        unfinished.unlink(missing_ok=True)


def unfinished_file(path: Path, folder: Path | None = None) -> Path:
    """Where what will be ``path`` is written first: in ``folder``, by default beside it."""
    return (folder or path.parent) / f".{path.name}.{os.getpid()}.unfinished"
