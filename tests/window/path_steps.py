"""A camera path through the panel."""

from __future__ import annotations

import os
from dataclasses import replace

import av
import glfw
import numpy as np

from duplex.app.scene.camera_path import CameraPath
from window.driver import Session


def path_panel(s: Session) -> None:
    """A path is made, saved, lost, loaded and recorded."""
    os.chdir(s.folder)  # names of files are short: every letter takes a frame
    headers = ("View", "Camera", "Speed", "Bundle", "Path")
    for header in headers:
        s.click(header)
    kept = saved_path(s)
    pasted_name(s)
    loaded_path(s, kept)
    recorded_path(s)
    for header in reversed(headers):
        s.click(header)
    s.state.notices.lines.clear()


def saved_path(s: Session) -> CameraPath:
    """Three keyframes, saved."""
    state, editor = s.state, s.editor
    editor.path = replace(editor.path, keyframes=(), transition=0.5, fps=10.0, width=64, height=48)
    editor.selected = -1
    for _ in range(3):
        s.click("add keyframe (K)")
        s.drag(1, 70, -10)
    kept = editor.path
    assert len(kept.keyframes) == 3
    s.type("file", "way.json")
    s.click("save")
    saved = (s.folder / "way.json").exists()
    assert editor.output.file == "way.json" and saved, (editor.output.file, state.notices.lines)
    return kept


def pasted_name(s: Session) -> None:
    """A name is pasted; of a file that is not there the panel says so."""
    state, editor = s.state, s.editor
    glfw.set_clipboard_string(None, "~nosuchuser/copied elsewhere.json")
    s.click("file")
    for pressed in ("ctrl+a", "ctrl+v", "Return"):
        s.key("key", pressed)
    assert editor.output.file == "~nosuchuser/copied elsewhere.json", f"a path cannot be pasted: {editor.output.file}"
    s.click("load")
    assert s.notes("~nosuchuser"), state.notices.lines


def loaded_path(s: Session, kept: CameraPath) -> None:
    """Keyframes are removed, and come back from the file."""
    editor = s.editor
    s.type("file", "way.json")
    s.click("remove")
    s.click("remove")
    assert len(editor.path.keyframes) == 1
    s.click("load")
    assert len(editor.path.keyframes) == 3
    for a, b in zip(editor.path.keyframes, kept.keyframes, strict=True):
        assert np.allclose(a.camera_to_world, b.camera_to_world)
    s.picture("path-panel")


def recorded_path(s: Session) -> None:
    """The path becomes a video; a folder that is missing is told."""
    editor = s.editor
    s.click("play")
    assert editor.playing
    s.frames(4)
    s.type("into", "way.mp4")
    s.click("record")
    for _ in range(200):
        if not editor.recording:
            break
        s.frames(1)
    with av.open(str(s.folder / "way.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == editor.path.frames == 10 and frames[0].shape == (48, 64, 3)
    s.click("record")
    while editor.recording:
        s.frames(1)
    assert (s.folder / "way-002.mp4").is_file() and s.notes("way-002.mp4"), "what was there is not left alone"
    s.type("into", "/nowhere/way.mp4")
    s.click("record")
    assert not editor.recording and s.notes("/nowhere")
    s.picture("recorded")
