"""The size of a ZIP archive's directory, which :class:`zipfile.ZipFile` reads whole before anything can be checked."""

from __future__ import annotations

import io
from pathlib import Path

END_RECORD = b"PK\5\6"
END_RECORD_BYTES = 22
LOCATOR = b"PK\6\7"  # of ZIP64: it says that the record before it has the sizes
LOCATOR_BYTES = 20
RECORD_64_BYTES = 56
END_BYTES = END_RECORD_BYTES + 0xFFFF + LOCATOR_BYTES + RECORD_64_BYTES  # a comment may follow the end record
SIZE_PLACE = 12
SIZE_64_PLACE = 40


def directory_bytes(path: Path) -> int | None:
    """Size of the directory as the records at the end of the file state it; None without a whole end record.

    The records are looked for where :mod:`zipfile` takes them from. Raises OSError.
    """
    with path.open("rb") as stream:
        stream.seek(max(stream.seek(0, io.SEEK_END) - END_BYTES, 0))
        end = stream.read()
    at = end.rfind(END_RECORD)
    if at < 0 or len(end) < at + END_RECORD_BYTES:
        return None
    size = int.from_bytes(end[at + SIZE_PLACE : at + SIZE_PLACE + 4], "little")
    if end[max(at - LOCATOR_BYTES, 0) : at].startswith(LOCATOR):
        record = max(at - LOCATOR_BYTES - RECORD_64_BYTES, 0)
        size = int.from_bytes(end[record + SIZE_64_PLACE : record + SIZE_64_PLACE + 8], "little")
    return size
