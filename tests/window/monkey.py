"""Random input for the window: python -m window.monkey SECONDS SEED

Keys, clicks, drags, the wheel, typing, resizing and dropped files, as the window's own callbacks get them. Ends with an
error if anything is raised, if OpenGL notes an error, if OpenGL objects are left over, or if memory keeps growing.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import glfw
import moderngl

from duplex.app.render.passes.screen import PATTERNS
from duplex.app.render.views import FINAL
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.viewer.painting.split_view import second_views
from duplex.app.viewer.window import Viewer
from duplex.assets import DEMO_BUNDLE

KEYS = [getattr(glfw, f"KEY_{c}") for c in "WASDQEFROKZY123456789"] + [
    glfw.KEY_LEFT_CONTROL, glfw.KEY_F1,
    glfw.KEY_TAB, glfw.KEY_SPACE, glfw.KEY_LEFT_BRACKET, glfw.KEY_RIGHT_BRACKET, glfw.KEY_SLASH, glfw.KEY_ESCAPE,
    glfw.KEY_C, glfw.KEY_V, glfw.KEY_F12, glfw.KEY_LEFT_SHIFT, glfw.KEY_LEFT_ALT, glfw.KEY_ENTER, glfw.KEY_BACKSPACE,
]  # fmt: skip
SIZES = ((720, 560), (300, 300), (500, 800))
WARM_UP = 0.3  # of the time, in which memory may grow: drivers keep what they have compiled
LIMIT = 250.0  # MB after that; a leaked scene takes 30 MB each time a file is dropped, which is every hundredth frame
OBJECTS = (moderngl.Texture, moderngl.TextureArray, moderngl.Buffer, moderngl.Framebuffer, moderngl.Program,
           moderngl.VertexArray, moderngl.ComputeShader, moderngl.Query)  # fmt: skip


class Monkey:
    """A user without a plan."""

    def __init__(self, viewer: Viewer, seed: int):
        self.chance = random.Random(seed)
        self.viewer = viewer
        self.window = viewer.window
        self.handle = viewer.window._window
        self.place = [400, 300]
        self.held = set[int]()
        folder = Path(tempfile.mkdtemp())
        self.files = [DEMO_BUNDLE, folder, folder / "broken.bundle", folder / "model.npy", folder / "path.json"]
        self.files[2].write_bytes(b"not a bundle")
        self.files[3].write_bytes(b"\x93NUMPY\x01\x00")
        self.files[4].write_text('{"keyframes": []}')
        glfw.get_key = lambda window, key: glfw.PRESS if key in self.held else glfw.RELEASE  # what Ctrl is asked by

    def act(self) -> None:
        """Do one thing; movements and keys are the most common."""
        what = self.chance.random()
        for limit, action in (
            (0.35, self.move),
            (0.58, self.button),
            (0.6, self.double_click),
            (0.85, self.key),
            (0.92, self.wheel),
            (0.96, self.type),
            (0.98, self.resize),
            (0.99, self.drop),
            (1.0, self.compare),
        ):
            if what < limit:
                action()
                return

    def move(self) -> None:
        width, height = glfw.get_window_size(self.handle)
        goal = (self.chance.randrange(-5, width + 5), self.chance.randrange(-5, height + 5))
        self.place = [round(0.5 * (a + b)) for a, b in zip(self.place, goal, strict=True)]
        self.window.glfw_mouse_event_callback(self.handle, *self.place)

    def button(self) -> None:
        down = self.chance.random() < 0.5
        number = self.chance.choice((glfw.MOUSE_BUTTON_LEFT, glfw.MOUSE_BUTTON_RIGHT, glfw.MOUSE_BUTTON_MIDDLE))
        action = glfw.PRESS if down else glfw.RELEASE
        self.window.glfw_mouse_button_callback(self.handle, number, action, self.chance.choice((0, glfw.MOD_SHIFT)))

    def double_click(self) -> None:
        for action in 2 * (glfw.PRESS, glfw.RELEASE):
            self.window.glfw_mouse_button_callback(self.handle, glfw.MOUSE_BUTTON_LEFT, action, 0)

    def key(self) -> None:
        number = self.chance.choice(KEYS)
        self.held ^= {number}
        modifiers = self.chance.choice((0, 0, 0, glfw.MOD_SHIFT, glfw.MOD_CONTROL, glfw.MOD_ALT))
        action = glfw.PRESS if number in self.held else glfw.RELEASE
        self.window.glfw_key_event_callback(self.handle, number, 0, action, modifiers)

    def wheel(self) -> None:
        self.window.glfw_mouse_scroll_callback(self.handle, 0.0, self.chance.uniform(-2, 2))

    def type(self) -> None:
        self.window.glfw_char_callback(self.handle, ord(self.chance.choice("aZ0.-/~\u00e9? ")))

    def resize(self) -> None:
        glfw.set_window_size(self.handle, *self.chance.choice(SIZES))

    def drop(self) -> None:
        self.viewer.input._dropped(None, [str(self.chance.choice(self.files))])

    def compare(self) -> None:
        state = self.viewer.state
        if state.scene is None:
            return
        second = self.chance.choice([None, *second_views(state.scene.renderer)])
        state.inspection = replace(state.inspection, second=second)

    def draw(self) -> None:
        self.viewer.frame()
        error = self.viewer.ctx.error
        assert error == "GL_NO_ERROR", error
        self.window.swap_buffers()
        self.viewer.state.cancel_recording()  # a video of minutes would tell nothing


def main(seconds: float, seed: int) -> None:
    viewer = Viewer(SIZES[0])
    viewer.show(read_bundle(DEMO_BUNDLE), DEMO_BUNDLE)
    for pattern in PATTERNS:
        viewer.state.look = replace(viewer.state.look, exposure=1.0, pattern=pattern)
        viewer.frame()  # each has a program of its own, which is kept
        viewer.window.swap_buffers()
    rest(viewer)
    made = living()
    frames, growth = play(Monkey(viewer, seed), seconds)
    rest(viewer)
    left = living()
    viewer.close()
    print(f"{frames} frames, seed {seed}, {growth:+.1f} MB, {made} OpenGL objects before and {left} after")
    assert made == left, "OpenGL objects are left over"
    assert growth < LIMIT, f"memory grew by {growth:.0f} MB"


def play(monkey: Monkey, seconds: float) -> tuple[int, float]:
    """Frames drawn, and the growth of memory in MB after the warm-up."""
    started = time.monotonic()
    frames = before = 0
    while (spent := time.monotonic() - started) < seconds:
        monkey.act()
        monkey.draw()
        frames += 1
        if not before and spent > WARM_UP * seconds:
            before = resident()
    return frames, (resident() - before) / 1e6


def rest(viewer: Viewer) -> None:
    """Show the demo's picture as at first."""
    glfw.set_window_size(viewer.window._window, *SIZES[0])
    viewer.input.pressed.clear()
    state = viewer.state
    state.inspection = replace(state.inspection, second=None, probing=False)
    state.painter.second.forget()
    state.look = replace(state.look, view=FINAL, smooth=False, scale=1.0, pattern=PATTERNS[0], exposure=0.0)
    state.panel_visible = True
    state.timers.forget()
    viewer.show(read_bundle(DEMO_BUNDLE), DEMO_BUNDLE)
    for _ in range(10):
        viewer.frame()
        viewer.window.swap_buffers()


def living() -> int:
    """OpenGL objects that somebody still holds."""
    gc.collect()
    return sum(isinstance(thing, OBJECTS) for thing in gc.get_objects())


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
