"""Files that appear whole or not at all: a failed write leaves the previous file intact."""

from __future__ import annotations

import hashlib
import secrets
import time
from pathlib import Path

from duplex.app.core.errors import DuplexError
from duplex.app.core.outputs import check_folder, check_output, naming
from duplex.app.core.unfinished import MARK_FILE, Unfinished, remove_all

ATTEMPTS = 5  # to reserve a name
PAUSE = 50  # milliseconds between two attempts, at most
HEAD = 1 << 16  # bytes that tell two files of one name and size apart

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


def identity_of(path: Path) -> tuple[str, int, str]:
    """What tells the file at ``path`` from others: its absolute path, its size, and a SHA-256 of its first 64 KiB.

    A copy put back with another date is the same file. Of one that cannot be read its path alone tells.
    """
    try:
        with path.open("rb") as file:
            head = hashlib.sha256(file.read(HEAD)).hexdigest()
            return str(path.absolute()), file.seek(0, 2), head
    except OSError:
        return str(path.absolute()), 0, ""


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to an unfinished file in the same folder, then move that to ``path``.

    A previous file stays until the new one is complete; a link to a file is replaced, not followed. Raises
    :class:`DuplexError` if ``path`` is a folder or a device, and OSError with the file name ``path``.
    """
    check_output(path)
    with Unfinished(path.parent, path.name) as unfinished:
        unfinished.write(path, content)
        unfinished.finish()


def reserve(path: Path, content: str = "the file to write", work: str = "run") -> Unfinished:
    """Claim the output ``path`` for this process, so that the next one is told.

    ``content``, ``work``: what is written by which kind of run, for messages. Raises :class:`DuplexError` if ``path``
    is no file or another process writes it, OSError if nothing can be written there.
    """
    check_output(path, content)
    return _reserve(path.parent, path.name, f"{path}: another {work} is writing this file")


def reserve_folder(folder: Path) -> Unfinished:
    """Claim all of ``folder``; if it is missing, it is made, and removed again if it stays empty.

    Raises as :func:`reserve` does.
    """
    check_folder(folder)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        claim = _reserve(folder, "", f"{folder}: another run is writing this folder")
    except BaseException:
        remove_all([], [], missing)
        raise
    claim.made += missing
    return claim


def _reserve(folder: Path, name: str, conflict: str) -> Unfinished:
    for _ in range(ATTEMPTS):  # two that begin at once see each other, so both give way for a moment
        claim = Unfinished(folder, name)
        if not claim.contested:
            return claim
        claim.discard()
        time.sleep(secrets.randbelow(PAUSE) / 1000)
    raise DuplexError(f"{conflict}: wait for it, or give another -o")


def make_folder(folder: Path, mark: bytes) -> None:
    """Make ``folder`` with ``mark`` in :data:`MARK_FILE`, both at once; raises OSError."""
    with Unfinished(folder.parent, folder.name) as unfinished, naming(folder):
        new = unfinished.name_for(folder)
        new.mkdir()
        with (new / MARK_FILE).open("xb") as stream:
            stream.write(mark)
        new.rename(folder)


def remove_folder(folder: Path) -> None:
    """Remove ``folder`` with the :data:`MARK_FILE` in it, both at once; raises OSError."""
    with Unfinished(folder.parent, folder.name) as unfinished, naming(folder):
        folder.rename(unfinished.name_for(folder))
