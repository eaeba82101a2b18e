"""What may stand where a file or folder is to be written."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from duplex.app.core.errors import DuplexError

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


def check_output(path: Path, content: str = "the file to write") -> None:
    """Raise :class:`DuplexError` if ``path`` is there and is no regular file or link to one."""
    kind = kind_of(path)
    if kind not in ("", "file"):
        raise DuplexError(f"{path}: a {kind}: expected the name of {content}")


def check_folder(path: Path) -> None:
    """Raise :class:`DuplexError` if ``path`` is there and is no folder or link to one."""
    kind = kind_of(path)
    if kind not in ("", "folder"):
        raise DuplexError(f"{path}: a {kind}: expected the folder to write into")


def kind_of(path: Path) -> str:
    """``file``, ``folder``, ``device``, ``pipe`` or ``socket``, behind any links; nothing if there is nothing."""
    try:
        mode = path.stat().st_mode
    except OSError:  # writing there tells why
        return ""
    except ValueError:
        raise DuplexError(f"{str(path)!r:.80}: not a name: expected one without null characters") from None
    return KINDS.get(stat.S_IFMT(mode), "device")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError from within names ``path``."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
