"""The workspace of a long run: a folder of intermediate results, from which an interrupted run resumes."""

from __future__ import annotations

import json
import math
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import load_file, save

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, out_of_memory
from duplex.app.core.files import make_folder, remove_folder, reserve, write_atomically
from duplex.app.core.unfinished import MARK_FILE, Unfinished, living_claims
from duplex.baking.runtime.progress import say

JOB_FILE = MARK_FILE
MAX_JOB = 1 << 26  # bytes
OWN_FILES = re.compile(  # nothing else is ever removed from a workspace
    r"job\.json|rows\.json|lock|(density|shells|plan|distillation|training|variant)\.safetensors"
    r"|(views|held-out|photos?|unseen|test|lone-(distilled|unseen|test))(-hits)?-[0-9]{5,}\.raw"
)


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
    except BaseException:
        with suppress(OSError):  # the disk that is full: what came first is what the user needs to know
            save_duration()
        raise
    save_duration()
    say(f"{name}: {workspace.seconds[name] - before:.1f} s")


class Workspace:
    """The folder beside the output that holds the intermediate results of an unfinished run.

    The caller removes it when the run is done. As a context manager, it is also removed after a :class:`DuplexError`
    if it holds no result to resume from; in any case its lock is released at the end.

    ``folder``: its path; ``fingerprint``: of the run's input; ``seconds``: durations by stage, over all attempts;
    ``job_file``: the JSON file with fingerprint and seconds, by which a folder is known as a workspace; ``lock``: held
    while this process uses the output and the folder.

    Raises :class:`DuplexError` when another process uses the output, when the folder is no workspace, when it holds an
    interrupted run and neither ``resume`` nor ``restart`` is set, or when the interrupted run had other input.
    """

    work = "bake"  # the kind of run, for messages
    subject = "checkpoint"  # the input of the run, for messages
    content = "the bundle to write"
    suffix = ".baking"  # of the folder's name

    def __init__(self, output: Path, fingerprint: str, resume: bool, restart: bool):
        self.folder = output.with_name(output.name + self.suffix)
        self.fingerprint = fingerprint
        self.job_file = self.folder / JOB_FILE
        self.seconds: dict[str, float] = {}
        self.lock = self._reserve(output)
        try:
            self._open(resume, restart)
        except BaseException:
            self.lock.discard()
            raise

    def _reserve(self, output: Path) -> Unfinished:
        try:
            return reserve(output, self.content, self.work)
        except FileNotFoundError:
            raise DuplexError(f"{output.parent}: no such folder: create it, or give another output with -o") from None
        except OSError as error:
            raise DuplexError(
                f"{output.parent}: not writable ({error.strerror}): give another output with -o"
            ) from None

    def _open(self, resume: bool, restart: bool) -> None:
        if not os.path.lexists(self.folder):
            make_folder(self.folder, self._job())
            return
        job = self._read_job()
        if restart:
            self._clear()
        else:
            self._resume(job, resume)
        living_claims(self.folder)  # removes what a process left that was killed while writing
        self.save_seconds()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        with suppress(OSError):
            if isinstance(error, DuplexError) and {file.name for file in self.folder.iterdir()} == {JOB_FILE}:
                self.remove()
        self.lock.discard()  # a caller that keeps the exception keeps this object too, and must be able to resume

    def _read_job(self) -> dict[str, Any]:
        """The content of the job file; DuplexError if it is not one, because then the folder is somebody else's."""
        try:
            known = is_plain(self.folder, stat.S_ISDIR) and is_plain(self.job_file)
            content = json.loads(self.job_file.read_bytes()[:MAX_JOB]) if known else {}
            if isinstance(content["fingerprint"], str) and all(map(_is_duration, content["seconds"].values())):
                return dict(content)
        except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass
        raise DuplexError(
            f"{self.folder}: not the workspace of a {self.work} (its {JOB_FILE} is missing or damaged): "
            "rename or remove it, or give another output with -o"
        )

    def _resume(self, job: dict[str, Any], allowed: bool) -> None:
        """Take over the seconds of the interrupted run; DuplexError if that is not ``allowed`` or the input differs."""
        if not allowed:
            raise DuplexError(
                f"{self.folder}: an interrupted {self.work}: go on with --resume, or begin anew with --restart"
            )
        if job["fingerprint"] != self.fingerprint:
            raise DuplexError(
                f"{self.folder}: interrupted with other settings or another {self.subject}: repeat those, "
                "or begin anew with --restart"
            )
        self.seconds |= job["seconds"]

    def _clear(self) -> None:
        """Delete the files that a workspace makes, except the job file."""
        for file in self.folder.iterdir():
            if OWN_FILES.fullmatch(file.name) and file.name != JOB_FILE and is_plain(file):
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
        if is_stored(file):
            with reading(file):
                return from_arrays(load_file(file))
        artefact = make()
        write_atomically(file, save({k: np.ascontiguousarray(v) for k, v in to_arrays(artefact).items()}))
        return artefact

    def save_seconds(self) -> None:
        """Write the durations of the stages into the job file."""
        write_atomically(self.job_file, self._job())

    def _job(self) -> bytes:
        return json.dumps({"fingerprint": self.fingerprint, "seconds": self.seconds}).encode()

    def remove(self) -> None:
        """Delete the files that a workspace makes, and the folder unless it holds others too."""
        self._clear()
        living_claims(self.folder)
        if {file.name for file in self.folder.iterdir()} == {JOB_FILE}:
            remove_folder(self.folder)
        else:
            self.job_file.unlink()
            say(f"note: {self.folder}: stays, because it holds files that are not the {self.work}'s")
        self.lock.discard()


def is_stored(file: Path, size: int | None = None) -> bool:
    """Whether ``file`` was saved; DuplexError if something else is there, or a file of another ``size`` in bytes."""
    if not os.path.lexists(file):
        return False
    if not is_plain(file) or size not in (None, file.stat().st_size):
        raise _damaged(file)
    return True


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Whatever the content of a workspace's ``file`` lets fail inside becomes a DuplexError."""
    try:
        yield
    except (DuplexError, OSError):
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise _damaged(file) from None


def is_plain(path: Path, kind: Callable[[int], bool] = stat.S_ISREG) -> bool:
    """Whether ``path`` itself, not what a link there leads to, is a regular file or of another ``kind``."""
    return kind(path.lstat().st_mode)


def _damaged(file: Path) -> DuplexError:
    return DuplexError(f"{file}: damaged: begin anew with --restart")


def _is_duration(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]
