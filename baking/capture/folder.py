"""The folder of a capture's poses: a dataset for duplex and other programs, and until then a place to go on from.

``images/``: the photos upright; ``sparse/0``: COLMAP's model; ``transforms.json``, nerfstudio's file, comes last, so
a folder that holds it is complete. ``capture.json`` says what it was made from, and by which files it is known as ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.core.outputs import check_folder
from duplex.app.core.unfinished import NAME
from duplex.baking.capture.transforms_writer import IMAGES, MODEL, write_transforms
from duplex.baking.runtime.workspace import is_plain

CAPTURE_FILE = "capture.json"
TRANSFORMS = "transforms.json"
WORK = "work"
MODEL_FILES = ("cameras.bin", "images.bin", "points3D.bin", "rigs.bin", "frames.bin", "points.ply")
MAX_CAPTURE = 1 << 22  # bytes of the file


class CaptureFolder:
    """``path`` of the folder; ``fingerprint``: of the photos and settings.

    Raises :class:`DuplexError` for a folder that is somebody else's or of other photos, and for an unfinished one
    unless it is to be resumed or begun anew.
    """

    def __init__(self, path: Path, fingerprint: str, resume: bool, restart: bool):
        self.path = path
        self.fingerprint = fingerprint
        check_folder(path)
        if path.is_dir() and any(not NAME.fullmatch(file.name) for file in path.iterdir()):
            self._take_over(resume, restart)
        for name in (IMAGES, MODEL, WORK):
            if not self.is_complete or name != WORK:
                (path / name).mkdir(parents=True, exist_ok=True)
        self._write()

    def _take_over(self, resume: bool, restart: bool) -> None:
        known = self._read().get("fingerprint")
        if known == self.fingerprint and (self.is_complete or resume):
            return
        if known is None:
            raise DuplexError(
                f"{self.path}: no folder of poses that duplex made: expected an empty or a new one: give another one "
                "with --poses"
            )
        if not restart:
            raise DuplexError(
                f"{self.path}: poses of other photos or settings: begin anew with --restart, or give another folder "
                "with --poses"
                if known != self.fingerprint
                else f"{self.path}: posing was interrupted: go on with --resume, or begin anew with --restart"
            )
        self.clear()

    def clear(self) -> None:
        """Remove what duplex wrote, and folders that are empty then."""
        self.remove_work()
        for folder, names in ((".", (TRANSFORMS,)), (IMAGES, self._names()), (MODEL, MODEL_FILES)):
            for name in names:
                _remove(self.path / folder / name)
        _remove(self.path / CAPTURE_FILE)
        for folder in (IMAGES, MODEL, str(Path(MODEL).parent)):
            with suppress(OSError):
                (self.path / folder).rmdir()

    @contextmanager
    def cleared_after_failure(self) -> Iterator[None]:
        """Nothing stays of photos that fail inside the ``with`` block with a :class:`DuplexError`."""
        try:
            yield
        except DuplexError:
            self.clear()
            raise

    @property
    def is_complete(self) -> bool:
        """Whether the poses are there."""
        return (self.path / TRANSFORMS).is_file()

    def _read(self) -> dict[str, Any]:
        file = self.path / CAPTURE_FILE
        try:
            content = json.loads(file.read_bytes()[:MAX_CAPTURE]) if is_plain(file) else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def _names(self) -> list[str]:
        """The files in ``images`` that duplex wrote."""
        names = self._read().get("images", [])
        return [x for x in names if isinstance(x, str) and Path(x).name == x] if isinstance(names, list) else []

    def _write(self, **more: Any) -> None:
        content = {**self._read(), "fingerprint": self.fingerprint, **more}
        write_atomically(self.path / CAPTURE_FILE, json.dumps(content, indent=1).encode())

    def name_images(self, names: list[str]) -> None:
        """Say which files will be written to ``images``."""
        self._write(images=names)

    @property
    def report(self) -> dict[str, Any]:
        """What :meth:`finish` was given; raises :class:`DuplexError` if the file was changed since."""
        report = self._read().get("report")
        if not isinstance(report, dict):
            raise DuplexError(f"{self.path / CAPTURE_FILE}: damaged: begin anew with --restart")
        return report

    def finish(self, report: dict[str, Any]) -> None:
        """Write the cameras, with which the folder is complete, keep ``report``, and remove the intermediate files."""
        self._write(report=report)
        write_transforms(self.path, self.path / TRANSFORMS)
        self.remove_work()

    def remove_work(self) -> None:
        """Remove the intermediate files."""
        work = self.path / WORK
        for file in work.iterdir() if work.is_dir() and not work.is_symlink() else ():
            _remove(file)
        if work.is_dir() and not any(work.iterdir()):
            work.rmdir()


def _remove(file: Path) -> None:
    if file.is_symlink() or file.is_file():
        file.unlink()
