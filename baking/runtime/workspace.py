"""Where an unfinished bake keeps what it has, so that it can die anywhere and go on."""

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

OWN = NOTE, LOCK = "job.json", "lock"


@contextmanager
def stage(name: str, workspace: Workspace) -> Iterator[Callable[[], None]]:
    """Announce a stage and note its seconds in the workspace, those of a stage that is cut short too.

    What is given notes those until now, for a process that may be killed.
    """
    started, before = time.monotonic(), workspace.seconds.get(name, 0.0)
    say(f"{name} ...")

    def note() -> None:
        workspace.seconds[name] = before + time.monotonic() - started
        workspace.note_seconds()

    try:
        yield note
    finally:
        note()
    say(f"{name}: {workspace.seconds[name] - before:.1f} s")


class Workspace:
    """The folder beside the output where an unfinished bake keeps what it has; removed when it is done.

    As a context it is removed too after a :class:`DuplexError` that came before there was anything to go on with.

    Raises :class:`DuplexError` when another bake is at work in it, when an interrupted one lies there and neither
    ``resume`` nor ``restart`` is asked for, or when what lies there was made with other settings.
    """

    work, subject, suffix = "bake", "checkpoint", ".baking"  # what is done, of what, and the folder's ending

    def __init__(self, output: Path, fingerprint: str, resume: bool, restart: bool):
        self.folder, self.fingerprint = output.with_name(output.name + self.suffix), fingerprint
        self.note = self.folder / NOTE
        self.seconds: dict[str, float] = {}
        try:
            self.folder.mkdir(exist_ok=True)
            self.lock = _locked(self.folder / LOCK, self.work)
        except FileNotFoundError:
            raise DuplexError(f"{output.parent}: no such folder: create it, or give another output with -o") from None
        except OSError as error:
            raise DuplexError(
                f"{output.parent}: not writable ({error.strerror}): give another output with -o"
            ) from None
        if self.note.exists() and not restart:
            self._take_up(resume)
        else:  # a folder without a note is what a removal left that was cut short
            self._clear()
        for stray in self.folder.glob(".*.unfinished"):  # left by a process that was killed while writing
            stray.unlink()
        self.note_seconds()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DuplexError) and not any(file.name not in OWN for file in self.folder.iterdir()):
            self.remove()

    def _take_up(self, resume: bool) -> None:
        if not resume:
            raise DuplexError(
                f"{self.folder}: an interrupted {self.work}: go on with --resume, or begin anew with --restart"
            )
        try:
            found = json.loads(self.note.read_text("utf-8"))
            same = found["fingerprint"] == self.fingerprint
            self.seconds |= {str(name): float(value) for name, value in found["seconds"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise DuplexError(f"{self.note}: damaged: begin anew with --restart") from None
        if not same:
            raise DuplexError(
                f"{self.folder}: interrupted with other settings or another {self.subject}: repeat those, "
                "or begin anew with --restart"
            )

    def _clear(self) -> None:
        """Delete everything but the lock, the note first: without it nothing left is believed."""
        self.note.unlink(missing_ok=True)
        for file in self.folder.iterdir():
            if file.name != LOCK:
                file.unlink()

    @property
    def state(self) -> Path:
        """Where the trainer keeps its state."""
        return self.folder / "distillation.safetensors"

    def once(
        self,
        name: str,
        make: Callable[[], Any],
        to_arrays: Callable[[Any], dict[str, Array]],
        from_arrays: Callable[[dict[str, Array]], Any],
    ) -> Any:
        """The artefact ``name`` as an earlier run left it, or made now and kept."""
        file = self.folder / f"{name}.safetensors"
        if file.exists():
            return from_arrays(load_file(file))
        artefact = make()
        write_atomically(file, save({k: np.ascontiguousarray(v) for k, v in to_arrays(artefact).items()}))
        return artefact

    def note_seconds(self) -> None:
        """Keep what the stages have taken so far."""
        content = {"fingerprint": self.fingerprint, "seconds": self.seconds}
        write_atomically(self.note, json.dumps(content).encode())

    def remove(self) -> None:
        """Delete the folder."""
        self._clear()
        self.lock.release()
        shutil.rmtree(self.folder)


def _locked(file: Path, work: str) -> FileLock:
    """The lock ``file``, held until it is released or this process ends; DuplexError when another one holds it."""
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
