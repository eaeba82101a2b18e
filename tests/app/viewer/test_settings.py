"""The viewer's settings file, which anybody may have edited."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duplex.app.viewer.settings import Settings, load_settings


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    file = tmp_path / "new" / "viewer.json"
    settings = Settings(size=[800, 600], scale=0.5, smooth=False, frame_rate=60, unseen="hide", limited=True)
    settings.opened(tmp_path / "a.bundle")
    settings.save(file)
    assert load_settings(file) == settings


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"recent": [1, null], "size": [1e9, 2], "scale": "x", "smooth": 1, "frame_rate": 1e400}',
        b'{"size": [800], "scale": NaN, "frame_rate": true}',
        b'{"unseen": "dim", "limited": 1}',
        b'{"unseen": ["hide"], "limited": "yes"}',
        b"[" * 5000,
        b'{"recent": "' + b"x" * 70_000 + b'"}',
        b"\xff\xfe\x00",
    ],
)
def test_wrong_entries_are_the_defaults(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "viewer.json"
    file.write_bytes(content)
    assert load_settings(file) == Settings()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "viewer.json"
    os.mkfifo(file)
    assert load_settings(file) == Settings()
    Settings(scale=0.5).save(file)
    assert file.is_fifo()


def test_a_folder_in_its_place_stays(tmp_path: Path) -> None:
    file = tmp_path / "viewer.json"
    file.mkdir()
    (file / "notes.txt").write_text("mine")
    Settings().save(file)
    assert load_settings(file) == Settings() and (file / "notes.txt").read_text() == "mine"
    assert [x.name for x in tmp_path.iterdir()] == ["viewer.json"]
