"""The pictures of docs/viewer.md: python tests/window/pictures.py FOLDER

Draws the window in twelve states. Its size is 1280 x 800; on a display whose texts are twice as large (Xft.dpi 192),
2560 x 1440.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import glfw
import numpy as np
from imgui_bundle import imgui
from PIL import Image

from duplex.app.render.display import Display
from duplex.app.render.views import ERROR, FINAL, REFERENCE, View
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.viewer.actions import CompareBackends, GoToReference
from duplex.app.viewer.apply_actions import apply
from duplex.app.viewer.camera.keyframe_editor import PathOutput
from duplex.app.viewer.files.opening import open_file
from duplex.app.viewer.look import SecondView
from duplex.app.viewer.window import Viewer
from duplex.assets import DEMO_BUNDLE

SECTIONS = ("View", "Camera", "File", "Inspect", "Path", "Speed", "Bundle")


class Pictures:
    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self.opened = set[str]()
        self.viewer = viewer = Viewer((1280, 800))
        viewer.frame()
        if max(glfw.get_window_content_scale(viewer.window._window)) > 1.5:
            glfw.set_window_size(viewer.window._window, 2560, 1440)
        header = imgui.collapsing_header

        def opened_as_asked(title: str, flags: int) -> bool:
            imgui.set_next_item_open(title in self.opened)
            return bool(header(title, flags))

        imgui.collapsing_header = opened_as_asked

    def rest(self, frames: int = 25) -> None:
        for _ in range(frames):
            self.viewer.panel_cache.invalidate()
            self.viewer.frame()
            self.viewer.window.swap_buffers()

    def take(self, name: str, *sections: str) -> None:
        self.opened = set(sections)
        self.rest()
        self.viewer.frame()
        width, height = glfw.get_framebuffer_size(self.viewer.window._window)
        data = self.viewer.ctx.screen.read(viewport=(0, 0, width, height), components=3)
        pixels = np.frombuffer(data, np.uint8).reshape(height, width, 3)[::-1]
        Image.fromarray(pixels).save(self.folder / f"{name}-{width}x{height}.webp", quality=90, method=6)

    def show_demo(self) -> None:
        viewer = self.viewer
        viewer.show(read_bundle(DEMO_BUNDLE), DEMO_BUNDLE)
        viewer.apply_input()  # which lays the window out
        state = viewer.state
        state.scene.frame(state.layout.scene_size)
        state.scene.controls.arrive()
        state.notices.lines.clear()

    def look(self, **changes: object) -> None:
        """Change how the scene is shown."""
        state = self.viewer.state
        state.look = replace(state.look, **changes)

    def inspect(self, **changes: object) -> None:
        """Change what the instruments show."""
        state = self.viewer.state
        state.inspection = replace(state.inspection, **changes)

    def point(self, x: float, y: float) -> None:
        """The mouse, to a share of the part of the window beside the panel."""
        width, height = glfw.get_window_size(self.viewer.window._window)
        left = self.viewer.ui.left
        self.viewer.ui.mouse_moved(left + x * (width - left), y * height)


def welcome(p: Pictures) -> tuple[str, ...]:
    state = p.viewer.state
    state.settings.recent = [str(Path.home() / name) for name in ("lego.bundle", "garden.bundle")]
    return ()


def demo(p: Pictures) -> tuple[str, ...]:
    p.show_demo()
    return ("View", "Camera", "Speed", "Bundle")


def features(p: Pictures) -> tuple[str, ...]:
    p.look(view=View.parse("outer features 1"))
    p.inspect(display=Display(1))
    return ("View", "Inspect")


def split(p: Pictures) -> tuple[str, ...]:
    p.look(view=FINAL)
    p.inspect(display=Display(), second=SecondView(View.parse("outer normal")), split=0.5)
    return ("View", "Inspect")


def reference(p: Pictures) -> tuple[str, ...]:
    state = p.viewer.state
    apply(GoToReference(0), state)
    state.scene.controls.arrive()
    p.inspect(second=SecondView(REFERENCE))
    return ("View", "Inspect")


def error(p: Pictures) -> tuple[str, ...]:
    p.inspect(second=SecondView(ERROR))
    return ("View", "Inspect")


def edges(p: Pictures) -> tuple[str, ...]:
    p.inspect(second=None, edges=(True, True))
    return ("Inspect", "Speed")


def probe(p: Pictures) -> tuple[str, ...]:
    state = p.viewer.state
    p.inspect(edges=(False, False), probing=True)
    p.point(0.45, 0.66)
    apply(CompareBackends(), state)
    return ("Inspect", "Speed")


def cameras(p: Pictures) -> tuple[str, ...]:
    state = p.viewer.state
    p.inspect(probing=False)
    p.look(show_cameras=True)
    state.scene.controls.dolly(-6)
    state.scene.controls.arrive()
    return ("View", "Camera")


def path(p: Pictures) -> tuple[str, ...]:
    state = p.viewer.state
    p.look(show_cameras=False, background=(0.25, 0.3, 0.4), pattern="gradient")
    editor, controls = state.scene.editor, state.scene.controls
    controls.dolly(6)
    for height in (0, -40, 30, 20):
        controls.turn(110, height)
        controls.arrive()
        editor.add(state.window_camera(state.scene))
    editor.output = PathOutput("chair.path.json", "chair.mp4")
    editor.path = replace(editor.path, loop=True)
    editor.selected = 1
    controls.dolly(-9)
    controls.turn(-160, 60)
    controls.arrive()
    return ("Path",)


def keys(p: Pictures) -> tuple[str, ...]:
    state = p.viewer.state
    state.scene.editor.path = replace(state.scene.editor.path, keyframes=())
    state.scene.reset(state.layout.scene_size)
    state.scene.controls.arrive()
    state.help_visible = True
    return ("View", "Camera", "Speed", "Bundle")


def broken_file(p: Pictures) -> tuple[str, ...]:
    state = p.viewer.state
    state.help_visible = False
    p.look(pattern="checker")
    state.scene.frame((1000, 800))
    state.scene.controls.arrive()
    os.chdir(p.folder)  # so that the message names no folder
    broken = Path("broken.bundle")
    broken.write_bytes(DEMO_BUNDLE.read_bytes()[:5000])
    open_file(broken, state)
    broken.unlink()
    return ("View", "File", "Speed")


STEPS: tuple[Callable[[Pictures], tuple[str, ...]], ...] = (
    welcome,
    demo,
    features,
    split,
    reference,
    error,
    edges,
    probe,
    cameras,
    path,
    keys,
    broken_file,
)


def main(folder: Path) -> None:
    os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp()  # whoever runs this keeps their settings
    pictures = Pictures(folder)
    for number, step in enumerate(STEPS, 1):
        sections = step(pictures)
        pictures.take(f"{number:02d}-{step.__name__.replace('_', '-')}", *sections)
    pictures.viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
