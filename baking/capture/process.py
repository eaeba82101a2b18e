"""Runs :mod:`~duplex.baking.capture.reconstruction` in a process of its own and reports its progress."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from duplex.app.core.apart import start_python
from duplex.app.core.errors import DuplexError, in_short
from duplex.app.core.package import installing
from duplex.baking.runtime.progress import Tracker, track

PROGRAM = "import sys; sys.path += sys.argv[1:-1]; from duplex.baking.capture.reconstruction import main; main()"
MAX_WORDS = 300  # of what the process printed last
NAMES = {"features": "finding features", "matches": "matching photos", "poses": "posing photos"}


def check_installed() -> None:
    """Raise :class:`DuplexError` without pycolmap."""
    if find_spec("pycolmap") is None:
        raise DuplexError(
            f"photos without cameras need pycolmap, which is not installed: {installing('pycolmap')}, "
            "or give a folder with transforms.json or COLMAP's sparse/0"
        )


def reconstruct(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    """Reconstruct the pictures of ``task`` in ``folder``; returns the facts that the process reports.

    Raises :class:`DuplexError` if the process ends without any.
    """
    (folder / "task.json").write_text(json.dumps(task), "utf-8")
    with tempfile.TemporaryFile() as words:
        process = start_python(PROGRAM, str(folder.absolute()), stderr=words)
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            with _reported() as report:
                for line in iter(process.stdout.readline, b""):
                    event = json.loads(line)
                    if "facts" in event:
                        return dict(event["facts"])
                    report(event["stage"], event["done"], event["total"])
        finally:
            process.kill()
            status = process.wait()
        words.seek(max(words.seek(0, os.SEEK_END) - (1 << 16), 0))
        last = words.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise DuplexError(
        f"{folder}: COLMAP ended with status {status} ({in_short(last, MAX_WORDS) or 'no words'}): expected poses: run "
        "it again with --resume, with fewer photos if memory ran out"
    )


@contextmanager
def _reported() -> Iterator[Any]:
    """A function that reports the progress of one stage after the other."""
    with ExitStack() as stack:
        open_stages: dict[str, Tracker] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in open_stages:
                stack.close()
                open_stages[stage] = stack.enter_context(track(NAMES.get(stage, stage), total, done))
            else:
                open_stages[stage].advance(done - open_stages[stage].done)

        yield report
