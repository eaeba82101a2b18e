"""Random input for the window: python window_monkey.py SECONDS SEED

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
from pathlib import Path

import glfw
import moderngl

from duplex.app.render.passes.screen import PATTERNS
from duplex.app.scene.bundle import read_bundle
from duplex.app.viewer.window import Viewer
from duplex.assets import DEMO_BUNDLE

KEYS = [getattr(glfw, f"KEY_{c}") for c in "WASDQEFROK123456789"] + [
    glfw.KEY_TAB, glfw.KEY_SPACE, glfw.KEY_LEFT_BRACKET, glfw.KEY_RIGHT_BRACKET, glfw.KEY_SLASH, glfw.KEY_ESCAPE,
    glfw.KEY_C, glfw.KEY_V, glfw.KEY_F12, glfw.KEY_LEFT_SHIFT, glfw.KEY_LEFT_ALT, glfw.KEY_ENTER, glfw.KEY_BACKSPACE,
]  # fmt: skip
SIZES = ((720, 560), (300, 300), (500, 800))
WARM_UP = 0.3  # of the time, in which memory may grow: drivers keep what they have compiled
LIMIT = 250.0  # MB after that; a leaked scene takes 30 MB each time a file is dropped, which is every hundredth frame
OBJECTS = (moderngl.Texture, moderngl.TextureArray, moderngl.Buffer, moderngl.Framebuffer, moderngl.Program,
           moderngl.VertexArray, moderngl.ComputeShader, moderngl.Query)  # fmt: skip


def main(seconds: float, seed: int) -> None:
    chance, viewer = random.Random(seed), Viewer(SIZES[0])
    viewer.show(read_bundle(DEMO_BUNDLE), DEMO_BUNDLE)
    window, handle = viewer.window, viewer.window._window
    for viewer.panel.exposure, viewer.panel.pattern in [(1.0, pattern) for pattern in PATTERNS]:
        viewer.frame()  # each has a program of its own, which is kept
        viewer.window.swap_buffers()
    rest(viewer)
    made = living()
    broken = Path(tempfile.mkdtemp()) / "broken.bundle"
    broken.write_bytes(b"not a bundle")
    place, held, started, before, frames = [400, 300], set[int](), time.monotonic(), 0, 0

    def key(number: int, down: bool) -> None:
        modifiers = chance.choice((0, 0, 0, glfw.MOD_SHIFT, glfw.MOD_CONTROL, glfw.MOD_ALT))
        window.glfw_key_event_callback(handle, number, 0, glfw.PRESS if down else glfw.RELEASE, modifiers)

    def button(down: bool) -> None:
        number = chance.choice((glfw.MOUSE_BUTTON_LEFT, glfw.MOUSE_BUTTON_RIGHT, glfw.MOUSE_BUTTON_MIDDLE))
        action = glfw.PRESS if down else glfw.RELEASE
        window.glfw_mouse_button_callback(handle, number, action, chance.choice((0, glfw.MOD_SHIFT)))

    while (spent := time.monotonic() - started) < seconds:
        what = chance.random()
        if what < 0.35:
            width, height = glfw.get_window_size(handle)
            goal = (chance.randrange(-5, width + 5), chance.randrange(-5, height + 5))
            place = [round(0.5 * (a + b)) for a, b in zip(place, goal, strict=True)]
            window.glfw_mouse_event_callback(handle, *place)
        elif what < 0.6:
            button(chance.random() < 0.5)
        elif what < 0.85:
            number = chance.choice(KEYS)
            held ^= {number}
            key(number, number in held)
        elif what < 0.92:
            window.glfw_mouse_scroll_callback(handle, 0.0, chance.uniform(-2, 2))
        elif what < 0.96:
            window.glfw_char_callback(handle, ord(chance.choice("aZ0.-/~\u00e9? ")))
        elif what < 0.98:
            glfw.set_window_size(handle, *chance.choice(SIZES))
        elif what < 0.99:
            viewer.events._dropped(None, [str(chance.choice((broken, DEMO_BUNDLE)))])
        else:
            viewer.inspection.compared = chance.choice([None, *viewer.inspection.choices(viewer.scene)])
        viewer.frame()
        error = viewer.ctx.error
        assert error == "GL_NO_ERROR", f"{error} at frame {frames}"
        window.swap_buffers()
        if viewer.scene and viewer.scene.path_editor.recording:
            viewer.scene.path_editor.cancel()  # a video of minutes would tell nothing
        frames += 1
        if not before and spent > WARM_UP * seconds:
            before = resident()
    growth = (resident() - before) / 1e6
    objects = [made]
    rest(viewer)
    objects.append(living())
    viewer.close()
    print(f"{frames} frames, seed {seed}, {growth:+.1f} MB, {objects[0]} OpenGL objects before and {objects[1]} after")
    assert objects[0] == objects[1], "OpenGL objects are left over"
    assert growth < LIMIT, f"memory grew by {growth:.0f} MB"


def rest(viewer: Viewer) -> None:
    """Show the demo's picture as at first."""
    glfw.set_window_size(viewer.window._window, *SIZES[0])
    viewer.events.pressed.clear()
    viewer.inspection.compared, viewer.inspection.other, viewer.inspection.probing = None, None, False
    viewer.panel.view, viewer.panel.visible, viewer.panel.smooth, viewer.panel.scale = "final", True, False, 1.0
    viewer.panel.pattern, viewer.panel.exposure = PATTERNS[0], 0.0
    viewer.timers.forget()
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
