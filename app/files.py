"""Writing files so that nothing the user had is ever lost or half-written."""

from __future__ import annotations

import os
from pathlib import Path


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
