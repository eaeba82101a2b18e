"""The pictures of docs/viewer.md: python window_pictures.py FOLDER

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

from duplex.app.render.views import ERROR, REFERENCE
from duplex.app.scene.bundle import read_bundle
from duplex.app.viewer.window import Viewer
from duplex.assets import DEMO_BUNDLE

SECTIONS = ("View", "Camera", "File", "Inspect", "Path", "Speed", "Bundle")


class Pictures:
    def __init__(self, folder: Path):
        self.folder, self.opened = folder.absolute(), set[str]()
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


def main(folder: Path) -> None:
    os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp()  # whoever runs this keeps their settings
    p = Pictures(folder)
    v, look = p.viewer, p.viewer.inspection
    steps: dict[str, Callable[[], tuple[str, ...]]] = {}

    def step(action: Callable[[], tuple[str, ...]]) -> None:
        steps[action.__name__.replace("_", "-")] = action

    @step
    def welcome() -> tuple[str, ...]:
        v.settings.recent = [str(Path.home() / name) for name in ("lego.bundle", "garden.bundle")]
        return ()

    @step
    def demo() -> tuple[str, ...]:
        p.show_demo()
        return ("View", "Camera", "Speed", "Bundle")

    @step
    def features() -> tuple[str, ...]:
        v.panel.view, look.channel = "outer features 1", 2
        return ("View", "Inspect")

    @step
    def split() -> tuple[str, ...]:
        v.panel.view, look.channel, look.compared, look.split = "final", 0, "outer normal", 0.5
        return ("View", "Inspect")

    @step
    def reference() -> tuple[str, ...]:
        look.go_to(v.scene, v.scene.bundle.references[0])
        v.scene.controls.arrive()
        look.compared = REFERENCE
        return ("View", "Inspect")

    @step
    def error() -> tuple[str, ...]:
        look.compared = ERROR
        return ("View", "Inspect")

    @step
    def edges() -> tuple[str, ...]:
        look.compared, look.wires = None, (True, True)
        return ("Inspect", "Speed")

    @step
    def probe() -> tuple[str, ...]:
        look.wires, look.probing = (False, False), True
        p.point(0.45, 0.66)
        look.compare_backends(v.scene, v.drawn_camera(v.scene))
        return ("Inspect", "Speed")

    @step
    def cameras() -> tuple[str, ...]:
        look.probing, look.probed, v.panel.frusta = False, None, True
        v.scene.controls.dolly(-6)
        v.scene.controls.arrive()
        return ("View", "Camera")

    @step
    def path() -> tuple[str, ...]:
        v.panel.frusta, v.panel.background, v.panel.pattern = False, [0.25, 0.3, 0.4], "gradient"
        editor, controls = v.scene.path_editor, v.scene.controls
        controls.dolly(6)
        for height in (0, -40, 30, 20):
            controls.turn(110, height)
            controls.arrive()
            editor.add(v.interface.overlay(v.scene).camera)
        editor.file, editor.out = "chair.path.json", "chair.mp4"
        editor.path, editor.selected = replace(editor.path, loop=True), 1
        controls.dolly(-9)
        controls.turn(-160, 60)
        controls.arrive()
        return ("Path",)

    @step
    def keys() -> tuple[str, ...]:
        v.scene.path_editor.path = replace(v.scene.path_editor.path, keyframes=())
        v.scene.reset()
        v.scene.controls.arrive()
        v.panel.help_visible = True
        return ("View", "Camera", "Speed", "Bundle")

    @step
    def broken_file() -> tuple[str, ...]:
        v.panel.help_visible, v.panel.pattern = False, "checker"
        v.scene.frame((1000, 800))
        v.scene.controls.arrive()
        os.chdir(folder)  # so that the message names no folder
        broken = Path("broken.bundle")
        broken.write_bytes(DEMO_BUNDLE.read_bytes()[:5000])
        v.open(broken)
        broken.unlink()
        return ("View", "File", "Speed")

    for number, (name, action) in enumerate(steps.items(), 1):
        sections = action()
        p.take(f"{number:02d}-{name}", *sections)
    v.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
