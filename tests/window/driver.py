"""The window as a user has it: real mouse and key events, and pictures of what is shown."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import glfw
import numpy as np
from imgui_bundle import imgui
from PIL import Image

from duplex.app.render.views import View
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.orbits import scene_orbit
from duplex.app.viewer.actions import Action
from duplex.app.viewer.apply_actions import apply
from duplex.app.viewer.camera.keyframe_editor import KeyframeEditor
from duplex.app.viewer.files.hot_reload import WATCH_SECONDS
from duplex.app.viewer.gui.overlay import Overlay
from duplex.app.viewer.painting.dynamic_resolution import STILL_SECONDS
from duplex.app.viewer.painting.split_view import second_views
from duplex.app.viewer.state import ViewerState
from duplex.app.viewer.window import Viewer
from duplex.assets import DEMO_BUNDLE


class Widgets:
    """Where Dear ImGui has put the widgets of the last frame, by label, so that the mouse can be sent there."""

    KINDS = (
        "begin_combo",
        "button",
        "checkbox",
        "collapsing_header",
        "combo",
        "input_text",
        "begin_menu",
        "menu_item",
        "selectable",
        "input_int2",
        "slider_float",
    )

    def __init__(self) -> None:
        self.places: dict[str, tuple[float, float]] = {}
        for kind in self.KINDS:
            setattr(imgui, kind, self.noting(getattr(imgui, kind)))

    def noting(self, original):
        def widget(label, *arguments, **settings):
            found = original(label, *arguments, **settings)
            low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
            self.places[label] = ((2 * low.x + high.x) / 3, (low.y + high.y) / 2)
            return found

        return widget


class Session:
    """One window that shows the demo, driven by ``xdotool``; every picture of it is saved in ``folder``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.step = 0
        self.widgets = Widgets()
        size, bundle = (720, 560), read_bundle(DEMO_BUNDLE)
        self.viewer = Viewer(size)
        self.viewer.show(bundle, DEMO_BUNDLE, scene_orbit(bundle).camera(0, *size))
        self.window = self.viewer.window
        # no window manager raises or focuses windows here, so events are sent to this one by its number
        self.number = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "duplex"], capture_output=True, text=True
        ).stdout.split()[0]
        self.xdotool("windowfocus", self.number)

    @property
    def state(self) -> ViewerState:
        return self.viewer.state

    @property
    def editor(self) -> KeyframeEditor:
        return self.state.scene.editor

    @property
    def view(self) -> str:
        """The name of the view that is shown."""
        return str(self.state.look.view)

    def show(self, name: str) -> None:
        """Show another view, without the panel's menu."""
        self.look(view=View.parse(name))

    def look(self, **changes: object) -> None:
        """Change how the scene is shown, without the panel."""
        self.state.look = replace(self.state.look, **changes)

    def inspect(self, **changes: object) -> None:
        """Change what the instruments show, without the panel."""
        self.state.inspection = replace(self.state.inspection, **changes)

    def compare(self, name: str | None) -> None:
        """Show the second view of this name beside the picture, None: no second view."""
        choices = {str(second): second for second in second_views(self.state.scene.renderer)}
        self.inspect(second=choices[name] if name else None)

    def apply(self, action: Action) -> None:
        """Do what an action asks for, without key or widget."""
        apply(action, self.state)

    def overlay(self) -> Overlay:
        """What draws over the scene."""
        return Overlay(self.state.window_camera(self.state.scene), self.state.layout.left)

    def xdotool(self, *arguments: object) -> None:
        subprocess.run(["xdotool", *map(str, arguments)], check=True)

    def frames(self, count: int = 3) -> None:
        for _ in range(count):
            self.viewer.frame()
            self.window.swap_buffers()

    def picture(self, name: str) -> np.ndarray:
        """What is in the window once the camera rests and is drawn in full, (h, w, 3) int16, top row first."""
        self.frames()
        for _ in range(60):
            if self.state.resolution.resting > STILL_SECONDS:
                break
            self.frames(1)
        assert self.state.resolution.resting > STILL_SECONDS, f"{name}: the camera does not come to rest"
        self.viewer.frame()
        assert self.viewer.ctx.error == "GL_NO_ERROR", name
        pixels = self.drawn(*glfw.get_framebuffer_size(self.window._window))
        self.step += 1
        Image.fromarray(pixels.astype(np.uint8)).save(self.folder / f"{self.step:02d}-{name}.png")
        self.window.swap_buffers()
        return pixels

    def drawn(self, width: int, height: int) -> np.ndarray:
        """The lower left part of what was drawn last, (h, w, 3) int16, top row first."""
        data = self.viewer.ctx.screen.read(viewport=(0, 0, width, height), components=3)
        self.viewer.ctx.error  # noqa: B018 - reading a window's own framebuffer leaves an error: forget it
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)[::-1].astype(np.int16)

    def scene(self, name: str) -> np.ndarray:
        """The part of the window that the panel does not hide."""
        return self.picture(name)[:, 320:]

    def point(self, x: int, y: int) -> None:
        """Move the mouse to a pixel of the window."""
        self.xdotool("mousemove", "--window", self.number, x, y)
        self.frames(2)

    def drag(self, button: int, dx: int, dy: int, begin: tuple[int, int] = (500, 300)) -> None:
        self.point(*begin)
        self.xdotool("mousedown", button)
        self.frames(2)
        self.point(begin[0] + dx, begin[1] + dy)
        self.xdotool("mouseup", button)
        self.frames(2)

    def click(self, label: str) -> None:
        """Press and release the left button on the widget that is called so."""
        self.widgets.places.pop(label, None)
        self.viewer.panel_cache.invalidate()
        self.frames(2)
        assert label in self.widgets.places, f"{label} is nowhere: {sorted(self.widgets.places)}"
        x, y = self.widgets.places[label]
        assert y < glfw.get_window_size(self.window._window)[1], f"{label} is below the window"
        self.point(round(x), round(y))
        self.xdotool("mousedown", 1)
        self.frames(2)
        self.xdotool("mouseup", 1)
        self.frames(2)

    def type(self, label: str, text: str) -> None:
        """Put ``text`` in the place of what a field holds."""
        self.click(label)
        self.xdotool("key", "ctrl+a")
        self.frames(2)
        for part in (text[i : i + 12] for i in range(0, len(text), 12)):
            self.xdotool("type", "--delay", 1, part)
            self.frames(2 + len(part))  # Dear ImGui may take one character a frame
        self.xdotool("key", "Return")
        self.frames(3)

    def layout(self, name: str) -> None:
        """Let the keyboard have another layout."""
        subprocess.run(["setxkbmap", name], check=True)
        self.frames(2)

    def key(self, *arguments: object) -> None:
        self.xdotool(*arguments)
        self.frames(3)

    def notes(self, word: str) -> bool:
        """Whether a notice holds ``word``."""
        return any(word in line.text for line in self.state.notices.lines)

    def drop(self, file: Path) -> None:
        """Drop a file as a file manager does, while the window goes on drawing."""
        source = subprocess.Popen([sys.executable, Path(__file__).with_name("drop.py"), self.number, file])
        while source.poll() is None:
            self.frames(1)
        assert source.returncode == 0, f"{file.name} cannot be dropped"
        self.frames(3)

    def change(self, file: Path, content: bytes) -> None:
        """Write a file, and let the window look whether files have changed."""
        file.write_bytes(content)
        time.sleep(WATCH_SECONDS)
        self.frames(3)


def differ(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean())
