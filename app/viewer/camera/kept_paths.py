"""Camera paths that are kept from one start to the next, beside the settings, one file for each scene."""

from __future__ import annotations

import hashlib
from pathlib import Path

from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera_path import CameraPath
from duplex.app.scene.path_files import read_path, write_path
from duplex.app.viewer.settings import settings_file

MOST_KEPT = 200  # paths


def keep_path(path: CameraPath, scene: Path, bundle: Bundle) -> None:
    """Keep ``path`` for the ``bundle`` at ``scene``, and forget it if it is empty; a write error is ignored."""
    file = file_beside_settings("paths", scene)
    try:
        if not path.keyframes:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        write_path(path, file, bundle.to_checkpoint, bundle.to_dataset, ngp=False)
        others = sorted(file.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for old in others[:-MOST_KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, DuplexError):
        pass


def kept_path(scene: Path, bundle: Bundle) -> CameraPath | None:
    """The path that was kept for the ``bundle`` at ``scene``."""
    file = file_beside_settings("paths", scene)
    try:
        return read_path(file, bundle.to_checkpoint, bundle.to_dataset) if file.is_file() else None
    except (OSError, DuplexError):
        return None


def file_beside_settings(kind: str, scene: Path) -> Path:
    """Where what is of this ``kind`` is kept for the bundle at ``scene``."""
    name = hashlib.sha256(str(scene.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return settings_file().parent / kind / f"{name}.json"
