"""What a button or a key asks the window to do with its scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import glfw
import numpy as np

from duplex.app.core.images import save_png
from duplex.app.render.gpu import color_target, driver_errors
from duplex.app.viewer.imgui_platform import clipboard, copy
from duplex.app.viewer.open_scene import Scene, folder_of
from duplex.app.viewer.panels.panel import Wanted

if TYPE_CHECKING:
    from duplex.app.viewer.window import Viewer


def perform(viewer: Viewer, scene: Scene, wanted: Wanted) -> None:
    """Do it; raises :class:`~duplex.app.core.errors.DuplexError` or OSError."""
    if wanted is Wanted.FRAME:
        camera = viewer.interface.overlay(scene).camera
        scene.frame((camera.width, camera.height))
    elif wanted is Wanted.RESET:
        scene.reset()
    elif wanted is Wanted.COPY:
        copy(scene.controls.to_text())
        viewer.notices.note("copied the view: paste it here again with Ctrl+V, or save it for --camera")
    elif wanted is Wanted.PASTE:
        scene.controls.paste(clipboard(), scene.center)
    elif wanted is Wanted.PICTURE:
        _save_picture(viewer, scene)


def _save_picture(viewer: Viewer, scene: Scene) -> None:
    """What is in the window without the panel, in full: the camera may move at the moment."""
    size = viewer.box(glfw.get_framebuffer_size(viewer.window._window))[2:]
    folder, stem = folder_of(scene.path), scene.path.stem
    file = next(f for i in range(1, 10**6) if not (f := folder / f"{stem}-{i:03d}.png").exists())
    with driver_errors(f"a picture of {size[0]} x {size[1]}"):
        out = viewer.ctx.framebuffer([color_target(viewer.ctx, size, "f1")])
        viewer.compose(scene, size, (0, 0, *size), out)
    pixels = np.frombuffer(out.read(components=3, alignment=1), np.uint8).reshape(size[1], size[0], 3)
    save_png(pixels[::-1], file)
    viewer.notices.note(f"{file}: {size[0]} x {size[1]}")
