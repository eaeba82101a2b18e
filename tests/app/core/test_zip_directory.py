"""The size of a ZIP archive's directory is the one that zipfile would read."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from duplex.app.core.zip_directory import directory_bytes


def archive(comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("a", b"1")
        made.writestr("b", b"2")
        made.comment = comment
    return stream.getvalue()


def with_zip64(size: int, pointed_at: int) -> bytes:
    """An archive whose ZIP64 record states ``size``, and whose locator points elsewhere."""
    content = archive()
    end = content.rindex(b"PK\5\6")
    record = b"PK\6\6" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, 2, 2, size, 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, pointed_at, 1)
    return content[:end] + record + locator + content[end:]


@pytest.mark.parametrize("comment", [b"", b"a comment", b"x" * 0xFFFF])
def test_the_directory_is_measured_behind_any_comment(tmp_path: Path, comment: bytes) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(archive(comment))
    assert directory_bytes(file) == 2 * (46 + 1)


@pytest.mark.parametrize("pointed_at", [0, 5, 1 << 40])
def test_a_locator_that_points_elsewhere_hides_no_size(tmp_path: Path, pointed_at: int) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(with_zip64(1 << 33, pointed_at))
    assert directory_bytes(file) == 1 << 33


@pytest.mark.parametrize("content", [b"", b"PK\3\4" + bytes(90), archive()[:-1], b"PK\5\6"])
def test_a_file_that_is_cut_off_has_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(content)
    assert directory_bytes(file) is None
