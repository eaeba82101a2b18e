"""What a killed process leaves is cleared by the next one, and nothing that merely looks like it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from duplex.app.core import unfinished as module
from duplex.app.core.files import reserve, write_atomically
from duplex.app.core.unfinished import Unfinished

posix = pytest.mark.skipif(os.name != "posix", reason="kills a process with SIGKILL")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


WRITER = """
import os, sys, time
from pathlib import Path
from duplex.app.core.files import reserve
output = Path(sys.argv[1])
unfinished = reserve(output)
unfinished.write(output, b"half")
unfinished.name_for(output.parent / "w").mkdir()
print("writing", flush=True)
time.sleep(60)
"""


def writer(output: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(output)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "writing\n"
    return process


@posix
@pytest.mark.system
def test_the_next_run_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    with writer(tmp_path / "x") as process:
        assert len(names(tmp_path)) == 3
        write_atomically(tmp_path / "other", b"1")
        assert len(names(tmp_path)) == 4, "files of a living process were taken away"
        process.send_signal(signal.SIGKILL)
    assert len(names(tmp_path)) == 4
    write_atomically(tmp_path / "other", b"2")
    assert names(tmp_path) == ["other"]


@posix
@pytest.mark.system
def test_a_reused_process_id_keeps_nothing_alive(tmp_path: Path) -> None:
    with writer(tmp_path / "x") as process:
        process.send_signal(signal.SIGKILL)
    # whatever process has its number now: the lock is gone
    reserve(tmp_path / "x").discard()
    assert names(tmp_path) == []


def left_behind(folder: Path) -> tuple[Path, Path]:
    """A claim and a file as of a process that is gone."""
    unfinished = Unfinished(folder, "x")
    unfinished.write(folder / "x", b"half")
    claim, file = unfinished._files
    unfinished._discard.detach()
    unfinished._lock[0].close()
    return claim, file


@posix
def test_what_merely_looks_alike_stays(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    claim, file = left_behind(tmp_path)
    stem = claim.name.removesuffix(".unfinished")
    file.unlink()
    (tmp_path / f"{stem}-1.unfinished").symlink_to(victim)
    (tmp_path / f"{stem}-2.unfinished").mkdir()
    (tmp_path / f"{stem}-2.unfinished" / "notes.txt").write_bytes(b"precious")
    os.mkfifo(tmp_path / f"{stem}-3.unfinished")
    alike = [
        ".x.123.unfinished",
        ".duplex-notes.unfinished",
        re.sub("[0-9a-f]{8}-0", "00000000-0", file.name),  # the check value is wrong
        f"{stem}-4.unfinished.txt",
        f"{stem}-a.unfinished",
    ]
    for name in alike:
        (tmp_path / name).write_bytes(b"precious")
    before = names(tmp_path)
    write_atomically(tmp_path / "y", b"")
    assert names(tmp_path) == sorted({*before, "y"} - {claim.name})
    assert victim.read_bytes() == b"precious"


@posix
@pytest.mark.parametrize("kind", ["content", "link", "folder", "pipe"])
def test_a_claim_that_is_none_protects_its_files(kind: str, tmp_path: Path) -> None:
    claim, _ = left_behind(tmp_path)
    claim.unlink()
    if kind == "content":
        claim.write_bytes(b"precious")
    elif kind == "link":
        claim.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        claim.mkdir()
    else:
        os.mkfifo(claim)
    before = names(tmp_path)
    write_atomically(tmp_path / "x", b"")
    assert names(tmp_path) == sorted([*before, "x"])


@posix
def test_files_of_another_user_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left_behind(tmp_path)
    before = names(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: 12345)
        write_atomically(tmp_path / "x", b"")
    assert names(tmp_path) == sorted([*before, "x"])
    write_atomically(tmp_path / "x", b"")
    assert names(tmp_path) == ["x"]


@posix
def test_a_link_under_the_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(module.secrets, "token_hex", lambda count: "ab" * count)
    tag = module._digest("x")
    stem = f".duplex-{tag}-{'ab' * 16}-{module._digest(tag + 'ab' * 16)}"
    for name in (f"{stem}.unfinished", f"{stem}-0.unfinished"):
        (tmp_path / name).symlink_to(victim)
        with pytest.raises(FileExistsError):
            write_atomically(tmp_path / "x", b"overwritten")
        assert victim.read_bytes() == b"precious" and (tmp_path / name).is_symlink()
        (tmp_path / name).unlink()


def test_names_cannot_be_guessed(tmp_path: Path) -> None:
    with Unfinished(tmp_path, "x") as first, Unfinished(tmp_path, "x") as second:
        tokens = {unfinished._files[0].name.split("-")[2] for unfinished in (first, second)}
    assert len(tokens) == 2 and all(len(token) == 32 for token in tokens)


def test_an_object_that_nobody_keeps_leaves_nothing(tmp_path: Path) -> None:
    unfinished = Unfinished(tmp_path, "x")
    unfinished.write(tmp_path / "x", b"half")
    del unfinished
    assert names(tmp_path) == []


@pytest.mark.parametrize("moment", range(8))
def test_a_signal_while_it_is_removed_leaves_nothing(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = Unfinished(tmp_path, "x")
    unfinished.write(tmp_path / "x", b"half")
    unfinished.write(tmp_path / "y", b"half")
    removed, calls = module._remove, list[Path]()

    def interrupted(path: Path) -> None:
        calls.append(path)
        if moment % 2 and len(calls) == moment // 2 + 1:
            raise KeyboardInterrupt
        removed(path)
        if len(calls) == moment // 2 + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "_remove", interrupted)
    if moment < 6:
        with pytest.raises(KeyboardInterrupt):
            unfinished.discard()
    else:
        unfinished.discard()
    assert names(tmp_path) == []


def test_writers_in_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for i in range(60):
                write_atomically(tmp_path / f"{number % 3}", bytes([number]) * (1000 + i))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and names(tmp_path) == ["0", "1", "2"]
    assert all(len(set((tmp_path / name).read_bytes())) == 1 for name in names(tmp_path))


CLAIM = """
import sys
from pathlib import Path
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import reserve
print("ready", flush=True)
sys.stdin.readline()
try:
    claim = reserve(Path(sys.argv[1]))
except DuplexError as error:
    print(error, flush=True)
else:
    print("claimed", flush=True)
    sys.stdin.readline()
    claim.discard()
"""


@pytest.mark.system
def test_of_two_that_begin_at_once_one_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIM, str(tmp_path / "x")]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    pipes = [(process.stdin, process.stdout) for process in both]
    assert all(answers and answers.readline() == "ready\n" for _, answers in pipes)
    for words, _ in pipes:
        assert words
        words.write("go\n")
        words.flush()
    found = sorted(answers.readline() for _, answers in pipes if answers)
    for process in both:
        process.communicate("end\n", timeout=60)
    assert "another run is writing this file" in found[0] and found[1] == "claimed\n" and names(tmp_path) == []
