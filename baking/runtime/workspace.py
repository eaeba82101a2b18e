"""The workspace of a long run: a folder of intermediate results, from which an interrupted run resumes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout
from safetensors.numpy import load_file, save

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.baking.runtime.progress import say

JOB_FILE = "job.json"
LOCK_FILE = "lock"


@contextmanager
def stage(name: str, workspace: Workspace) -> Iterator[Callable[[], None]]:
    """Announce a stage and save its duration in the workspace, also when an exception ends the stage.

    Yields a function that saves the duration up to now, because a killed process cannot save it at the end.
    """
    started = time.monotonic()
    before = workspace.seconds.get(name, 0.0)
    say(f"{name} ...")

    def save_duration() -> None:
        workspace.seconds[name] = before + time.monotonic() - started
        workspace.save_seconds()

    try:
        yield save_duration
    finally:
        save_duration()
    say(f"{name}: {workspace.seconds[name] - before:.1f} s")


class Workspace:
    """The folder beside the output that holds the intermediate results of an unfinished run.

    The caller removes it when the run is done. As a context manager, it is also removed after a :class:`DuplexError`
    if it holds no result to resume from; in any case its lock is released at the end.

    ``folder``: its path; ``fingerprint``: of the run's input; ``seconds``: durations by stage, over all attempts;
    ``job_file``: the JSON file with fingerprint and seconds; ``lock``: held while this process uses the folder.

    Raises :class:`DuplexError` when another process uses the folder, when it holds an interrupted run and neither
    ``resume`` nor ``restart`` is set, or when the interrupted run had other input.
    """

    work = "bake"  # the kind of run, for messages
    subject = "checkpoint"  # the input of the run, for messages
    suffix = ".baking"  # of the folder's name

    def __init__(self, output: Path, fingerprint: str, resume: bool, restart: bool):
        self.folder = output.with_name(output.name + self.suffix)
        self.fingerprint = fingerprint
        self.job_file = self.folder / JOB_FILE
        self.seconds: dict[str, float] = {}
        try:
            self.folder.mkdir(exist_ok=True)
            self.lock = _acquire_lock(self.folder / LOCK_FILE, self.work)
        except FileNotFoundError:
            raise DuplexError(f"{output.parent}: no such folder: create it, or give another output with -o") from None
        except OSError as error:
            raise DuplexError(
                f"{output.parent}: not writable ({error.strerror}): give another output with -o"
            ) from None
        if self.job_file.exists() and not restart:
            self._resume(resume)
        else:  # an interrupted removal leaves a folder without a job file
            self._clear()
        for partial in self.folder.glob(".*.unfinished"):  # left by a process that was killed while writing
            partial.unlink()
        self.save_seconds()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DuplexError) and {file.name for file in self.folder.iterdir()} <= {JOB_FILE, LOCK_FILE}:
            self.remove()
        self.lock.release()  # a caller that keeps the exception keeps this object too, and must be able to resume

    def _resume(self, allowed: bool) -> None:
        """Read the seconds of the interrupted run; DuplexError if resuming is not ``allowed`` or the input differs."""
        if not allowed:
            raise DuplexError(
                f"{self.folder}: an interrupted {self.work}: go on with --resume, or begin anew with --restart"
            )
        try:
            content = json.loads(self.job_file.read_text("utf-8"))
            same = content["fingerprint"] == self.fingerprint
            self.seconds |= {str(name): float(value) for name, value in content["seconds"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise DuplexError(f"{self.job_file}: damaged: begin anew with --restart") from None
        if not same:
            raise DuplexError(
                f"{self.folder}: interrupted with other settings or another {self.subject}: repeat those, "
                "or begin anew with --restart"
            )

    def _clear(self) -> None:
        """Delete all files but the lock; the job file first, because without it the others are never used."""
        self.job_file.unlink(missing_ok=True)
        for file in self.folder.iterdir():
            if file.name != LOCK_FILE:
                file.unlink()

    @property
    def state(self) -> Path:
        """The file of the training state."""
        return self.folder / "distillation.safetensors"

    def load_or_make(
        self,
        name: str,
        make: Callable[[], Any],
        to_arrays: Callable[[Any], dict[str, Array]],
        from_arrays: Callable[[dict[str, Array]], Any],
    ) -> Any:
        """The artefact ``name``, loaded if an earlier attempt saved it; otherwise made now and saved."""
        file = self.folder / f"{name}.safetensors"
        if file.exists():
            return from_arrays(load_file(file))
        artefact = make()
        write_atomically(file, save({k: np.ascontiguousarray(v) for k, v in to_arrays(artefact).items()}))
        return artefact

    def save_seconds(self) -> None:
        """Write the durations of the stages into the job file."""
        content = {"fingerprint": self.fingerprint, "seconds": self.seconds}
        write_atomically(self.job_file, json.dumps(content).encode())

    def remove(self) -> None:
        """Delete the folder."""
        self._clear()
        self.lock.release()
        shutil.rmtree(self.folder)


def _acquire_lock(file: Path, work: str) -> FileLock:
    """The lock on ``file``, held until it is released or this process ends; DuplexError if another process has it."""
    lock = FileLock(file, blocking=False)
    try:
        lock.acquire()
    except NotImplementedError:
        raise DuplexError(f"{file.parent}: this file system has no file locks: give another output with -o") from None
    except Timeout:
        raise DuplexError(
            f"{file.parent}: another {work} is writing this file: wait for it, or give another -o"
        ) from None
    return lock
