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

from duplex.app.render.views import ERROR, REFERENCE, View
from duplex.app.scene.bundle import read_bundle
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
            self.viewer.kept_panel.touch()
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
        size = viewer.interface.overlay(viewer.scene).camera
        viewer.scene.frame((size.width, size.height))
        viewer.scene.controls.arrive()
        viewer.notices.lines.clear()

    def point(self, x: float, y: float) -> None:
        """The mouse, to a share of the part of the window beside the panel."""
        width, height = glfw.get_window_size(self.viewer.window._window)
        left = self.viewer.ui.left
        self.viewer.ui.mouse_moved(left + x * (width - left), y * height)


def welcome(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    v.settings.recent = [str(Path.home() / name) for name in ("lego.bundle", "garden.bundle")]
    return ()


def demo(p: Pictures) -> tuple[str, ...]:
    p.show_demo()
    return ("View", "Camera", "Speed", "Bundle")


def features(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    look = p.viewer.inspection
    v.panel.view = View.parse("outer features 1")
    look.channel = 2
    return ("View", "Inspect")


def split(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    look = p.viewer.inspection
    v.panel.view = View.parse("final")
    look.channel = 0
    look.compared = "outer normal"
    look.split = 0.5
    return ("View", "Inspect")


def reference(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    look = p.viewer.inspection
    look.go_to(v.scene, v.scene.bundle.references[0])
    v.scene.controls.arrive()
    look.compared = str(REFERENCE)
    return ("View", "Inspect")


def error(p: Pictures) -> tuple[str, ...]:
    look = p.viewer.inspection
    look.compared = str(ERROR)
    return ("View", "Inspect")


def edges(p: Pictures) -> tuple[str, ...]:
    look = p.viewer.inspection
    look.compared = None
    look.wires = (True, True)
    return ("Inspect", "Speed")


def probe(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    look = p.viewer.inspection
    look.wires = (False, False)
    look.probing = True
    p.point(0.45, 0.66)
    look.compare_backends(v.scene, v.drawn_camera(v.scene))
    return ("Inspect", "Speed")


def cameras(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    look = p.viewer.inspection
    look.probing = False
    look.probed = None
    v.panel.frusta = True
    v.scene.controls.dolly(-6)
    v.scene.controls.arrive()
    return ("View", "Camera")


def path(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    v.panel.frusta = False
    v.panel.background = [0.25, 0.3, 0.4]
    v.panel.pattern = "gradient"
    editor, controls = v.scene.path_editor, v.scene.controls
    controls.dolly(6)
    for height in (0, -40, 30, 20):
        controls.turn(110, height)
        controls.arrive()
        editor.add(v.interface.overlay(v.scene).camera)
    editor.file = "chair.path.json"
    editor.out = "chair.mp4"
    editor.path = replace(editor.path, loop=True)
    editor.selected = 1
    controls.dolly(-9)
    controls.turn(-160, 60)
    controls.arrive()
    return ("Path",)


def keys(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    v.scene.path_editor.path = replace(v.scene.path_editor.path, keyframes=())
    v.scene.reset()
    v.scene.controls.arrive()
    v.panel.help_visible = True
    return ("View", "Camera", "Speed", "Bundle")


def broken_file(p: Pictures) -> tuple[str, ...]:
    v = p.viewer
    v.panel.help_visible = False
    v.panel.pattern = "checker"
    v.scene.frame((1000, 800))
    v.scene.controls.arrive()
    os.chdir(p.folder)  # so that the message names no folder
    broken = Path("broken.bundle")
    broken.write_bytes(DEMO_BUNDLE.read_bytes()[:5000])
    v.open(broken)
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
