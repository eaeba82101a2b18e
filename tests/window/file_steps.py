"""Bundles and shaders that are dropped, changed and broken."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from duplex import shaders
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.app.viewer.gui.clipboard import clipboard
from duplex.assets import DEMO_BUNDLE
from window.driver import Session


def dropped_files(s: Session) -> None:
    """A broken file is refused and a sound one opened."""
    state = s.state
    old, copy = state.scene, s.folder / "copy.bundle"
    broken = s.folder / "broken.bundle"
    broken.write_bytes(DEMO_BUNDLE.read_bytes()[:5000])
    s.drop(broken)
    assert state.scene is old and s.notes("broken.bundle"), state.notices.lines
    s.picture("broken-file")
    copy.write_bytes(DEMO_BUNDLE.read_bytes())
    s.drop(copy)
    assert state.scene.path == copy and state.settings.recent[0] == str(copy)
    s.key("key", "bracketright")
    s.picture("dropped")


def changed_bundle(s: Session) -> None:
    """A bundle that changes on disk is read again; the camera stays."""
    state = s.state
    copy = s.folder / "changed.bundle"
    copy.write_bytes(DEMO_BUNDLE.read_bytes())
    s.drop(copy)
    s.key("key", "bracketright")
    s.picture("before-the-change")
    eye = np.array(state.scene.controls.goal.eye)
    s.compare("reference")
    s.show("error")
    s.change(copy, write_bundle(replace(read_bundle(copy), background=(0.0, 0.0, 0.0), references=())))
    assert state.inspection.second is None and s.view == "final", "what a bundle has not is still shown"
    assert state.scene.bundle.background == (0.0, 0.0, 0.0), "a changed bundle is not read again"
    assert np.allclose(np.array(state.scene.controls.goal.eye), eye), "a changed bundle moves the camera"
    seen = state.scene
    s.change(copy, b"not a bundle")
    assert state.scene is seen and s.scene("changed-to-nonsense").std() > 10
    s.drop(DEMO_BUNDLE)
    copy.unlink()


def own_shader(s: Session, name: str) -> Path:
    """A shader in a copy of the program's folder, which is read from here on."""
    copy = s.folder / "shaders"
    if not copy.exists():
        shaders._FOLDER = Path(shutil.copytree(shaders._FOLDER, copy))
    return copy / name


def changed_shader(s: Session) -> None:
    """A shader is built again when it changes, and kept when the new one is broken."""
    state = s.state
    shader, seen = own_shader(s, "screen/present.frag.glsl"), state.scene
    text = shader.read_bytes()
    s.change(shader, text + b"\nthis is no GLSL\n")
    assert state.scene is seen and any("error" in line.text.lower() for line in state.notices.lines), (
        state.notices.lines
    )
    s.picture("broken-shader")
    s.change(shader, text)
    assert state.scene is not seen and state.scene.renderer is not seen.renderer, "a mended shader is not built again"


def changed_view_shader(s: Session) -> None:
    """A broken shader replaces none that is shown."""
    state = s.state
    surface = own_shader(s, "gbuffer/gbuffer.frag.glsl")
    sound, wrong = surface.read_bytes(), b"\n#if SURFACE == 1\nthis is no GLSL\n#endif\n"
    s.show("outer normal")
    s.scene("normals")
    seen = state.scene
    s.change(surface, sound + wrong)
    assert state.scene is seen and s.view == "outer normal", "a shader that is shown is replaced by a broken one"
    s.show("final")
    s.frames()
    s.change(surface, sound + wrong + b"\n")  # which nothing needs that is shown
    assert state.scene is not seen
    state.notices.lines.clear()
    s.show("outer normal")
    s.frames()
    assert s.view == "final" and state.scene and s.notes("GLSL")
    s.picture("view-refused")
    s.change(surface, sound)
    s.key("key", "f")


def other_files(s: Session) -> None:
    """What is no bundle is called what it is; a camera path is loaded, a checkpoint offers its bake."""
    state, folder = s.state, s.folder
    old = state.scene
    photo, mesh, checkpoint = folder / "photo.png", folder / "mesh.ply", folder / "model.npy"
    Image.new("RGB", (8, 8)).save(photo)
    mesh.write_text("ply\nformat ascii 1.0\nend_header\n")
    np.save(checkpoint, np.zeros(3))
    for file, words in (
        (photo, "a picture: expected a bundle"),
        (mesh, "a mesh or points"),
        (folder, "a folder: expected a bundle"),
    ):
        s.drop(file)
        assert state.scene is old and s.notes(words), (words, state.notices.lines)
    s.drop(checkpoint)
    assert state.dialog and f"duplex-bake {checkpoint} -o {folder / 'model.bundle'}" == state.dialog.command
    s.picture("a-checkpoint")
    s.click("copy the command")
    assert state.dialog is None and clipboard() == f"duplex-bake {checkpoint} -o {folder / 'model.bundle'}"
    s.key("key", "k")
    s.key("key", "k")
    path = folder / "path.json"
    s.editor.output = replace(s.editor.output, file=str(path))
    s.key("key", "ctrl+s")
    s.key("key", "ctrl+z")
    assert len(s.editor.path.keyframes) < 2
    s.drop(path)
    assert len(s.editor.path.keyframes) == 2 and s.notes("2 keyframes, loaded")
    path.write_text('{"frames": []}')
    s.drop(path)
    assert len(s.editor.path.keyframes) == 2 and s.notes("path.json")


def kept_keyframes(s: Session) -> None:
    """Keyframes survive the opening of another bundle: who comes back is asked."""
    state, copy = s.state, s.folder / "other.bundle"
    copy.write_bytes(DEMO_BUNDLE.read_bytes())
    s.drop(DEMO_BUNDLE)
    s.key("key", "k")
    s.key("key", "k")
    count = len(s.editor.path.keyframes)
    s.drop(copy)
    assert state.dialog is None and not s.editor.path.keyframes
    s.drop(DEMO_BUNDLE)
    assert state.dialog and f"{count} keyframes" in state.dialog.text
    s.key("key", "k")
    state.keep_path()
    assert state.unkept, "older keyframes are overwritten while the user is asked about them"
    s.picture("kept-keyframes")
    s.click("take them")
    assert len(s.editor.path.keyframes) == count and state.dialog is None
    copy.unlink()
