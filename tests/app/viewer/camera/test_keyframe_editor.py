"""The keyframe editor: what it refuses, plays and removes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera_path import CameraPath
from duplex.app.viewer.camera.keyframe_editor import KeyframeEditor, PathOutput


def test_a_path_without_end_is_neither_written_nor_recorded(demo: Bundle, path: CameraPath, tmp_path: Path) -> None:
    output = PathOutput.beside(tmp_path / os.fsdecode(b"caf\xe9"), "scene")
    assert "?" in output.file and output.video.encode()
    editor = KeyframeEditor(demo, replace(output, file=str(tmp_path / "x.json")), replace(path, transition=1e10))
    with pytest.raises(DuplexError, match="frames: expected at most"):
        editor.save()
    assert not list(tmp_path.iterdir())
