"""Workspaces: only folders with the mark are one, and only their own files are ever removed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from duplex.app.core.errors import DuplexError
from duplex.baking.runtime.workspace import Workspace, is_stored, reading


def names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*"))


def workspace(folder: Path, resume: bool = False, restart: bool = False) -> Workspace:
    return Workspace(folder / "x", "print", resume, restart)


def interrupted(folder: Path) -> Path:
    """The folder of a workspace with a result in it."""
    with workspace(folder) as made:
        made.load_or_make("density", lambda: np.arange(3), lambda x: {"x": x}, lambda x: x["x"])
    return made.folder


def test_a_workspace_appears_with_its_mark_and_goes_without_a_trace(tmp_path: Path) -> None:
    with workspace(tmp_path) as made:
        assert json.loads(made.job_file.read_bytes()) == {"fingerprint": "print", "seconds": {}}
        made.remove()
    assert names(tmp_path) == []


FOREIGN: dict[str, bytes | None] = {
    "no file at all": None,
    "no mark": b"",
    "a list": b"[]",
    "another job": b'{"name": "my job", "seconds": {}}',
    "durations of another kind": b'{"fingerprint": "print", "seconds": {"density": "1"}}',
    "endless durations": b'{"fingerprint": "print", "seconds": {"density": 1e999}}',
    "half": b'{"fingerprint": "print", "seco',
    "deep": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("flags", [(False, False), (True, False), (False, True)])
def test_a_folder_without_the_mark_is_not_touched(kind: str, flags: tuple[bool, bool], tmp_path: Path) -> None:
    folder = tmp_path / "x.baking"
    folder.mkdir()
    if FOREIGN[kind] is not None:
        (folder / "notes.txt").write_text("my notes")
        (folder / "density.safetensors").write_text("mine too")
        (folder / "job.json").write_bytes(FOREIGN[kind] or b"")
    before = names(tmp_path)
    with pytest.raises(DuplexError, match=r"x\.baking: not the workspace of a bake .* another output") as refused:
        workspace(tmp_path, *flags)
    assert names(tmp_path) == before and len(str(refused.value)) < 300 + len(str(tmp_path))


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
@pytest.mark.parametrize("kind", ["link", "broken link", "file", "pipe", "link as mark", "pipe as mark"])
def test_what_is_no_folder_of_its_own_is_no_workspace(kind: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    real = interrupted(elsewhere)
    place = tmp_path / "x.baking"
    if kind == "link":
        place.symlink_to(real)
    elif kind == "broken link":
        place.symlink_to(tmp_path / "nowhere")
    elif kind == "file":
        place.write_text("my notes")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.mkdir()
        if kind == "link as mark":
            (place / "job.json").symlink_to(real / "job.json")
        else:
            os.mkfifo(place / "job.json")
    before = names(tmp_path)
    for flags in ((False, False), (True, False), (False, True)):
        with pytest.raises(DuplexError, match="not the workspace"):
            workspace(tmp_path, *flags)
    assert names(tmp_path) == before


@pytest.mark.parametrize("restart", [False, True])
def test_files_of_the_users_stay_in_a_real_workspace(restart: bool, tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    (folder / "notes.txt").write_text("my notes")
    (folder / "scan-00000.raw").write_text("my scan")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "views-00000.raw").write_text("mine")
    (folder / "views-00000.raw").write_text("the bake's")
    with workspace(tmp_path, resume=not restart, restart=restart) as taken_up:
        assert (folder / "density.safetensors").exists() != restart
        taken_up.remove()
    assert names(folder) == ["notes.txt", "pictures", "pictures/views-00000.raw", "scan-00000.raw"]


def test_an_interrupted_run_goes_on_or_begins_anew(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    with pytest.raises(DuplexError, match="an interrupted bake: go on with --resume"):
        workspace(tmp_path)
    with pytest.raises(DuplexError, match="interrupted with other settings"):
        Workspace(tmp_path / "x", "another", True, False)
    for flags, kept in (((True, False), True), ((False, True), False)):
        with workspace(tmp_path, *flags):
            assert (folder / "density.safetensors").exists() == kept


def test_the_second_run_is_told(tmp_path: Path) -> None:
    with workspace(tmp_path):
        for flags in ((False, False), (True, False), (False, True)):
            with pytest.raises(DuplexError, match="another bake is writing this file"):
                workspace(tmp_path, *flags)


@pytest.mark.parametrize("damage", ["half", "another name", "folder", "empty"])
def test_a_damaged_result_is_one_sentence(damage: str, tmp_path: Path) -> None:
    file = interrupted(tmp_path) / "density.safetensors"
    content = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    elif damage == "another name":
        save_file({"y": np.arange(3)}, file)
    else:
        file.write_bytes(content[: len(content) // 2 if damage == "half" else 0])

    def load(taken_up: Workspace) -> Any:
        return taken_up.load_or_make("density", lambda: 0, lambda x: {}, lambda x: x["x"])

    with pytest.raises(DuplexError, match=r"density\.safetensors: damaged: begin anew"), workspace(tmp_path, True) as w:
        load(w)


def test_what_reading_lets_fail_is_told_from_what_the_disk_does(tmp_path: Path) -> None:
    for error in (KeyError("a"), RuntimeError("size mismatch"), ValueError(), IndexError(), AssertionError()):
        with pytest.raises(DuplexError, match="x: damaged"), reading(tmp_path / "x"):
            raise error
    for passed in (OSError(5, "Input/output error"), DuplexError("a sentence"), MemoryError()):
        with pytest.raises(type(passed)), reading(tmp_path / "x"):
            raise passed


def test_a_stored_file_has_its_size(tmp_path: Path) -> None:
    file = tmp_path / "views-00000.raw"
    assert not is_stored(file, 3)
    file.write_bytes(b"abc")
    assert is_stored(file, 3) and is_stored(file)
    for size in (2, 4):
        with pytest.raises(DuplexError, match="damaged"):
            is_stored(file, size)
