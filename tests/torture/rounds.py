"""One round: a run is killed, interrupted or runs out of disk, its folder is looked at, and the next run ends it."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torture.content import content_of
from torture.jobs import LINKED, TortureJob
from torture.process import Ended, run

KILL, SIGNAL, FULL = "kill", "signal", "full disk"
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
OLD = b"the old one"
MAX_KILLS = 3  # in one round
PAGE = 4096  # bytes, the unit of a tmpfs


@dataclass(frozen=True)
class Whole:
    """An undisturbed run of a job: the ``content`` of its outputs, the largest file in ``bytes``, ``seconds``."""

    content: dict[str, Any]
    bytes: int
    seconds: float


@dataclass
class Round:
    """What happened in a round: ``kind``, the ``job``'s name, ``kills``, runs that a full disk ended, ``defects``."""

    kind: str
    job: str
    seed: str
    kills: int = 0
    filled: int = 0
    defects: list[str] = field(default_factory=list)


def undisturbed(job: TortureJob, inputs: Path, folder: Path) -> Whole:
    """Run ``job`` in peace."""
    prepare(job, inputs, folder, old=False)
    ended = run(folder, lambda: job.run(inputs))
    if ended.status:
        raise SystemExit(f"{job.name}: an undisturbed run ended with {ended.status}:\n{ended.printed}")
    files = [folder / name for name in job.outputs]
    largest = max(file.stat().st_size for file in files)
    return Whole({name: content_of(folder / name) for name in job.outputs}, largest, ended.seconds)


def prepare(job: TortureJob, inputs: Path, folder: Path, old: bool) -> None:
    """Make the run's ``folder``, with ``old`` outputs or without."""
    for name in LINKED.get(job.name, ()):
        shutil.copy(inputs / name, folder / name)
    for name in job.outputs if old else ():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(OLD)


def play(kind: str, job: TortureJob, whole: Whole, folder: Path, seed: str) -> Round:
    """Play one round in the new ``folder``, beside which ``inputs`` lies."""
    chance = random.Random(seed)
    this = Round(kind, job.name, seed)
    inputs = folder.parent / "inputs"
    folder.mkdir()
    try:
        {KILL: _killed, SIGNAL: _interrupted, FULL: _filled}[kind](this, job, whole, inputs, folder, chance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return this


def _killed(this: Round, job: TortureJob, whole: Whole, inputs: Path, folder: Path, chance: random.Random) -> None:
    old = chance.random() < 0.5
    prepare(job, inputs, folder, old)
    for _ in range(chance.randint(1, MAX_KILLS)):
        ended = run(folder, lambda: job.run(inputs), after=chance.uniform(0, whole.seconds))
        if ended.status == -signal.SIGKILL:
            this.kills += 1
        else:
            _check_status(this, ended, (0,))
        _check_outputs(this, job, whole, folder, old)
    _check_end(this, job, whole, inputs, folder)


def _interrupted(this: Round, job: TortureJob, whole: Whole, inputs: Path, folder: Path, chance: random.Random) -> None:
    old = chance.random() < 0.5
    prepare(job, inputs, folder, old)
    number, status = chance.choice(sorted(SIGNALS.items()))
    ended = run(folder, lambda: job.run(inputs), after=chance.uniform(0, whole.seconds), number=number)
    _check_status(this, ended, (0, status))
    if re.search("Traceback|Exception ignored", ended.printed):
        this.defects.append(f"after {number.name}: {ended.printed[-2000:]}")
    _check_outputs(this, job, whole, folder, old)
    if left := [file.name for file in folder.glob("*.unfinished")]:
        this.defects.append(f"{number.name} left {left}")
    _check_end(this, job, whole, inputs, folder)


def _filled(this: Round, job: TortureJob, whole: Whole, inputs: Path, folder: Path, chance: random.Random) -> None:
    old = chance.random() < 0.5
    with _small_disk(folder, chance, whole, job) as (limit, enlarge):
        prepare(job, inputs, folder, old)
        ended = run(folder, lambda: job.run(inputs), limit=limit)
        this.filled += ended.status != 0
        _check_status(this, ended, (0, 2))
        errors = [line for line in ended.printed.splitlines() if line.startswith("error:")]
        if "Traceback" in ended.printed or len(errors) != (ended.status != 0):
            this.defects.append(f"a full disk: {ended.printed[-2000:]}")
        _check_outputs(this, job, whole, folder, old)
        enlarge()
        _check_end(this, job, whole, inputs, folder)


@contextmanager
def _small_disk(
    folder: Path, chance: random.Random, whole: Whole, job: TortureJob
) -> Iterator[tuple[int | None, Callable[[], None]]]:
    """A small file system in ``folder``, which can be enlarged; else a limit of the size of files."""
    used = sum((folder.parent / "inputs" / name).stat().st_size for name in LINKED.get(job.name, ()))
    size = used + int(whole.bytes * 2 ** chance.uniform(-3, 3)) + PAGE * (2 * len(job.outputs) + 4)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if chance.random() < 0.5 and shutil.which("mount") and subprocess.run(mount, capture_output=True).returncode == 0:
        larger = ["mount", "-o", "remount,size=1G", str(folder)]
        try:
            yield None, lambda: subprocess.run(larger, check=True)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        yield max(int(whole.bytes * chance.random() ** 3), 1), lambda: None


def _check_status(this: Round, ended: Ended, expected: tuple[int, ...]) -> None:
    if ended.status not in expected:
        this.defects.append(f"status {ended.status} instead of {expected}: {ended.printed[-2000:]}")


def _check_outputs(this: Round, job: TortureJob, whole: Whole, folder: Path, old: bool) -> None:
    """Each output is absent or old, as before, or whole; all of them alike, unless the process was killed."""
    before = [name for name in job.outputs if _is_as_before(folder / name, old)]
    for name in job.outputs:
        if name not in before:
            _check_whole(this, whole, folder / name, name)
    if 0 < len(before) < len(job.outputs) and this.kind != KILL:
        this.defects.append(f"{before} are as before, the others are not")


def _is_as_before(file: Path, old: bool) -> bool:
    return file.exists() and file.read_bytes() == OLD if old else not file.exists()


def _check_whole(this: Round, whole: Whole, file: Path, name: str) -> None:
    try:
        same = content_of(file) == whole.content[name]
    except (ValueError, KeyError, OSError) as error:
        this.defects.append(f"{name} is half: {error}")
    else:
        if not same:
            this.defects.append(f"{name} differs from that of an undisturbed run")


def _check_end(this: Round, job: TortureJob, whole: Whole, inputs: Path, folder: Path) -> None:
    """The next run, undisturbed, makes what a first one makes, and leaves nothing else."""
    ended = run(folder, lambda: job.run(inputs))
    _check_status(this, ended, (0,))
    expected = {*job.outputs, *LINKED.get(job.name, ())}
    found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}
    empty = [file.name for file in folder.rglob("*") if file.is_dir() and not any(file.iterdir())]
    if found != expected or empty:
        this.defects.append(f"left over: {sorted(found - expected)} {empty}, missing: {sorted(expected - found)}")
    for name in expected & set(job.outputs) & found:
        _check_whole(this, whole, folder / name, name)
