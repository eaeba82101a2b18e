"""Outputs appear whole or not at all, and nothing else is touched."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from duplex.app.core import unfinished as unfinished_module
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import make_folder, remove_folder, reserve, reserve_folder, write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="devices, pipes and links of POSIX")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_replaced_and_nothing_else_appears(tmp_path: Path) -> None:
    file = tmp_path / "x"
    write_atomically(file, b"first")
    write_atomically(file, b"second")
    assert file.read_bytes() == b"second" and names(tmp_path) == ["x"]


@posix
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "x", b"")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def special_files(folder: Path) -> dict[str, Path]:
    made = {kind: folder / kind for kind in ("folder", "pipe", "socket", "link to a pipe", "link to a folder")}
    made["folder"].mkdir()
    os.mkfifo(made["pipe"])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(made["socket"]))  # the names of sockets are short
    made["link to a pipe"].symlink_to(made["pipe"])
    made["link to a folder"].symlink_to(made["folder"])
    made["link to a device"] = folder / "link to a device"
    made["link to a device"].symlink_to("/dev/null")
    return made | {"device": Path("/dev/null")}


@posix
def test_what_is_no_regular_file_is_refused_and_stays(tmp_path: Path) -> None:
    for kind, file in special_files(tmp_path).items():
        before = file.lstat(), names(tmp_path)
        for attempt in (lambda f=file: write_atomically(f, b"x"), lambda f=file: reserve(f)):
            with pytest.raises(DuplexError) as refused:
                attempt()
            sentence = str(refused.value)
            assert f": a {kind.split(' a ')[-1]}: expected" in sentence and len(sentence) <= 300
        if kind not in ("folder", "link to a folder"):
            with pytest.raises(DuplexError, match="expected the folder to write into"):
                reserve_folder(file)
        assert (stat.S_IFMT(file.lstat().st_mode), names(tmp_path)) == (stat.S_IFMT(before[0].st_mode), before[1])


@posix
def test_a_link_to_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name, target in (("link", "victim"), ("broken", "nowhere"), ("loop", "loop")):
        (tmp_path / name).symlink_to(target)
        write_atomically(tmp_path / name, b"new")
        assert not (tmp_path / name).is_symlink() and (tmp_path / name).read_bytes() == b"new"
    assert victim.read_bytes() == b"precious" and not (tmp_path / "nowhere").exists()


def test_an_impossible_name_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DuplexError, match="null characters"):
        write_atomically(tmp_path / "a\0b", b"")
    with pytest.raises(OSError, match="x" * 300):
        write_atomically(tmp_path / ("x" * 300), b"")
    assert names(tmp_path) == []


@posix
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS, errno.EFBIG])
@pytest.mark.parametrize("failing", ["open", "fsync", "replace"])
def test_a_disk_that_fails_leaves_the_state_before(
    number: int, failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"old")

    def fail(path: object, *arguments: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(os if failing == "fsync" else Path, failing, fail)
        with pytest.raises(OSError, match=os.strerror(number)) as failed:
            write_atomically(file, b"new")
    assert failed.value.filename == str(file) and failed.value.errno == number
    assert file.read_bytes() == b"old" and names(tmp_path) == ["x"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_ends_a_run_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error), reserve(tmp_path / "x") as unfinished:
        unfinished.write(tmp_path / "x", b"half")
        raise error
    with pytest.raises(error), reserve_folder(tmp_path / "new" / "folder") as unfinished:
        unfinished.write(tmp_path / "new" / "folder" / "y", b"half")
        raise error
    assert names(tmp_path) == []


def test_files_of_a_folder_appear_together(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with reserve_folder(folder) as unfinished:
        for name in ("a", "b"):
            unfinished.write(folder / name, name.encode())
            assert not (folder / name).exists()
        unfinished.finish()
    assert names(folder) == ["a", "b"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_signal_while_files_appear_keeps_them_together(
    moment: int, after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, calls = Path.replace, list[Path]()

    def interrupted(file: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == moment and not after:
            raise KeyboardInterrupt
        replace(file, target)
        if len(calls) == moment:
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), reserve_folder(tmp_path) as unfinished:
        for name in ("a", "b", "c"):
            unfinished.write(tmp_path / name, name.encode())
        unfinished.finish()
    assert names(tmp_path) == ["a", "b", "c"]


def test_the_second_writer_is_told(tmp_path: Path) -> None:
    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: reserve(tmp_path / "x", work="bake"), "another bake is writing this file"),
        (lambda: reserve_folder(tmp_path / "out"), "another run is writing this folder"),
    ]
    for attempt, words in attempts:
        first = attempt()
        with pytest.raises(DuplexError, match=words):
            attempt()
        reserve(tmp_path / "y").discard()  # another output is free
        assert isinstance(first, unfinished_module.Unfinished)
        first.discard()
        again = attempt()
        assert isinstance(again, unfinished_module.Unfinished)
        again.discard()
    assert names(tmp_path) == []


def test_a_marked_folder_comes_and_goes_at_once(tmp_path: Path) -> None:
    make_folder(tmp_path / "w", b"mark")
    assert names(tmp_path) == ["w"] and (tmp_path / "w" / "job.json").read_bytes() == b"mark"
    remove_folder(tmp_path / "w")
    assert names(tmp_path) == []
