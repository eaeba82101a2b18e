"""Camera paths of all programs and forms, and settings of the viewer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from builders.paths import EYE, KEY, path
from duplex.app.scene.path_files import write_path


def write(folder: Path, kind: str) -> None:
    """The seeds of ``paths`` or ``settings``."""
    if kind == "paths":
        _write_paths(folder)
    else:
        _write_settings(folder)


def _write_paths(folder: Path) -> None:
    similarity = np.diag([2.0, 2, 2, 1])
    short = {"fps": 2.0, "transition": 0.5}
    for name, made in (("open", path(3, **short)), ("loop", path(4, loop=True, ease=True, tension=0.3, **short))):
        for ngp in (False, True):
            file = _place(folder / "small" / f"{name}-{'ngp' if ngp else 'nerfstudio'}")
            write_path(made, file, EYE, similarity, ngp=ngp)
    write_path(path(40, **short), _place(folder / "large" / "long"), EYE, similarity)
    old = {"keyframes": [{"matrix": json.dumps(KEY["matrix"]), "fov": 50, "aspect": 1.5}] * 2, "fps": 24, "seconds": 3}
    frames = {"camera_path": [{"camera_to_world": KEY["matrix"], "fov": 40}] * 3, "fps": 24, "render_width": 320}
    for name, data in (("old", old), ("frames", frames)):
        _place(folder / "small" / name).write_text(json.dumps(data))


def _place(folder: Path) -> Path:
    folder.mkdir()
    return folder / "path.json"


def _write_settings(folder: Path) -> None:
    full = {
        "recent": ["/a/b.bundle", "/c.bundle"],
        "size": [1280, 720],
        "scale": 0.5,
        "smooth": False,
        "frame_rate": 60,
    }
    many = {"recent": [f"/x/{i}.bundle" for i in range(8)], "size": None}
    for size, name, data in (("small", "full", full), ("small", "empty", {}), ("large", "many", many)):
        (folder / size / name).mkdir()
        (folder / size / name / "viewer.json").write_text(json.dumps(data, indent=1))
