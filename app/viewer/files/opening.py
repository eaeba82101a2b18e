"""What becomes of a file that is chosen, typed or dropped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from duplex.app.core.errors import DuplexError, printable, sentence_of
from duplex.app.core.file_kinds import CHECKPOINT, JSON, kind_of
from duplex.app.core.files import expanded, stamp_of
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.viewer.dialogs import about_checkpoint
from duplex.app.viewer.state import ViewerState


def open_file(path: Path, state: ViewerState) -> None:
    """Show the bundle ``path``, or load the camera path that it is.

    Where that fails, the open scene stays, and a notice says why; what to do with a checkpoint, a dialog says.
    """
    try:
        path = expanded(path)
        kind = kind_of(path) if path.is_file() else None
        if kind is CHECKPOINT:
            state.dialog = about_checkpoint(path)
        elif kind is JSON:
            _load_path(path, state)
        else:
            stamp = stamp_of(path)
            state.show(read_bundle(path), path, stamp=stamp)
    except (DuplexError, OSError) as error:
        state.notices.error(sentence_of(error))


def _load_path(path: Path, state: ViewerState) -> None:
    if not state.scene:
        raise DuplexError(f"{path}: a JSON file: open a bundle first, then a camera path for it")
    editor = state.scene.editor
    before = editor.output
    editor.output = replace(before, file=printable(str(path)))
    try:
        editor.load()
    except DuplexError:
        editor.output = before
        raise
    state.unkept = True
    state.notices.note(f"{path.name}: {len(editor.path.keyframes)} keyframes, loaded")
