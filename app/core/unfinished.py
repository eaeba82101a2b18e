"""Files on their way to their places: written under names that nobody can guess, moved when whole, else removed.

Beside its files, each :class:`Unfinished` keeps a *claim*: an empty file that stays locked while its process lives. A
claim without a lock was left by a process that was killed; the next one that writes into the folder removes it together
with its files. The names carry a check value, so that files which merely look alike stay.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from duplex.app.core.outputs import check_output, naming

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = re.compile(r"(\.duplex-([0-9a-f]{8})-([0-9a-f]{32})-([0-9a-f]{8}))(-[0-9]+)?\.unfinished")
MARK_FILE = "job.json"  # all that a folder under an unfinished name holds


class Unfinished:
    """Files that are being written into ``folder``; ``name``: of the output, which other processes look for.

    :meth:`finish` moves them to their places. :meth:`discard` removes those that are left, also at the end of a
    ``with`` and at the end of the program. Raises OSError that names the output.
    """

    def __init__(self, folder: Path, name: str = ""):
        self.folder = folder
        self.made: list[Path] = []  # folders to remove again if they stay empty, the innermost first
        self._tag = _digest(os.path.normcase(name))
        self._files: list[Path] = []  # the claim comes first
        self._moves: list[tuple[Path, Path]] = []
        self._lock: list[BinaryIO] = []
        self._discard = weakref.finalize(self, remove_all, self._files, self._lock, self.made)
        with naming(folder / name):
            living_claims(folder)
            try:
                self._claim()
            except BaseException:
                self.discard()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.discard()

    def _claim(self) -> None:
        while True:
            token = secrets.token_hex(16)
            self._stem = f".duplex-{self._tag}-{token}-{_digest(self._tag + token)}"
            claim = self.folder / f"{self._stem}.unfinished"
            self._files[:] = [claim]
            self._lock[:] = [claim.open("xb")]  # x: made here, and no link is followed
            try:
                _lock(self._lock[0].fileno())
                taken = not claim.exists()
            except BlockingIOError:  # another process takes it for a left one, because it was not locked yet
                taken = True
            except OSError:  # a file system without locks
                taken = False
            if not taken:
                return
            self._lock[0].close()

    @property
    def contested(self) -> bool:
        """Whether another living process or thread writes the same output."""
        return self._tag in living_claims(self.folder, self._stem)

    def name_for(self, target: Path) -> Path:
        """The name of a file or folder, to be made by the caller, that :meth:`finish` moves to ``target``."""
        file = self.folder / f"{self._stem}-{len(self._moves)}.unfinished"
        self._files.append(file)
        self._moves.append((file, target))
        return file

    def create(self, target: Path) -> Path:
        """A new empty file that :meth:`finish` moves to ``target``."""
        file = self.name_for(target)
        with naming(target):
            file.open("xb").close()
        return file

    def write(self, target: Path, content: bytes) -> None:
        """Write ``content`` into a new file that :meth:`finish` moves to ``target``."""
        file = self.name_for(target)
        with naming(target), file.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())

    def finish(self) -> None:
        """Move all files to their places; a previous file, or a link, is replaced."""
        for _, target in self._moves:
            check_output(target)
        try:
            self._move()
        except OSError:
            raise
        except BaseException:  # a signal: the files of one output appear together
            self._move()
            raise
        self.discard()

    def _move(self) -> None:
        for file, target in self._moves:
            if os.path.lexists(file):
                with naming(target):
                    file.replace(target)

    def discard(self) -> None:
        """Remove what is not finished, and the claim."""
        if not self._discard.alive:
            return
        try:
            remove_all(self._files, self._lock, self.made)
        except BaseException:  # a signal: nothing is left behind for its sake
            remove_all(self._files, self._lock, self.made)
            raise
        finally:
            self._discard.detach()


def living_claims(folder: Path, own: str = "") -> set[str]:
    """The digests of the outputs that living processes claim in ``folder``; what killed ones left is removed.

    ``own``: the claim to pass over.
    """
    groups: dict[str, list[Path]] = {}
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - Path.iterdir makes a Path of every file
            found = NAME.fullmatch(name)
            if found and found[1] != own and found[4] == _digest(found[2] + found[3]):
                groups.setdefault(found[1], []).append(folder / name)
    living = set()
    for stem, files in groups.items():
        claim = folder / f"{stem}.unfinished"
        try:
            with _taken_over(claim):
                for file in files:
                    if file != claim and _is_mine(file.lstat()):
                        _remove(file)
                _remove(claim)
            _remove(claim)  # again, because Windows removes no file that is open
        except BlockingIOError:
            living.add(stem.split("-")[1])
        except OSError:  # not ours, or a file system without locks: it stays
            pass
    return living


@contextmanager
def _taken_over(claim: Path) -> Iterator[None]:
    """Lock the claim of a process that is gone; BlockingIOError if it lives, PermissionError for a foreign file."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(claim, flags)
    except FileNotFoundError:  # the claim is the last to be removed
        yield
        return
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size or not _is_mine(status):
            raise PermissionError
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock an open file until it is closed; BlockingIOError if it is locked, OSError if that is impossible here."""
    if sys.platform == "win32":
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            raise BlockingIOError from None
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_mine(status: os.stat_result) -> bool:
    return sys.platform == "win32" or status.st_uid == os.geteuid()


def _remove(path: Path) -> None:
    """Remove an unfinished file or folder; what else lies there under its name stays."""
    with suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            path.unlink()
        elif stat.S_ISDIR(mode) and {file.name for file in path.iterdir()} <= {MARK_FILE}:
            (path / MARK_FILE).unlink(missing_ok=True)
            path.rmdir()


def remove_all(files: list[Path], lock: list[BinaryIO], folders: list[Path]) -> None:
    """Remove unfinished files, the first one last and after its ``lock``; then the ``folders`` that are empty."""
    for file in files[1:]:
        _remove(file)
    for stream in lock:
        stream.close()
    for file in files[:1]:
        _remove(file)
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:8]
