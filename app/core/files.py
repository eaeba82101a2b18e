"""Atomic file writing: a failed write leaves the previous file intact."""

from __future__ import annotations

import os
from pathlib import Path

from duplex.app.core.errors import DuplexError

Stamp = tuple[int, int]  # modification time in nanoseconds, size in bytes


def expanded(path: Path) -> Path:
    """``path`` with ``~`` or ``~name`` expanded to a home folder; raises :class:`DuplexError` for an unknown user."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise DuplexError(f"{path}: no such user's home: expected a path that begins with / or ~/") from None


def stamp_of(path: Path) -> Stamp | None:
    """Modification time and size of the file at ``path``, or None if there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: the name holds a null byte
        return None
    return status.st_mtime_ns, status.st_size


def write_atomically(path: Path, content: bytes, beside: Path | None = None) -> None:
    """Write ``content`` to a temporary file, then rename that file to ``path``.

    A previous file at ``path`` stays until the new one is complete. ``beside``: folder of the temporary file, on the
    same file system; by default the folder of ``path``. Raises OSError with the file name ``path``.
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
    """The temporary file for an atomic write of ``path``: in ``folder``, by default in the folder of ``path``."""
    return (folder or path.parent) / f".{path.name}.{os.getpid()}.unfinished"
