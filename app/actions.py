"""What a button or a key asks the window to do with its scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import glfw

from duplex.app.headless import save_png
from duplex.app.panel import Wanted
from duplex.app.scene import Scene, folder_of

if TYPE_CHECKING:
    from duplex.app.window import Viewer


def perform(viewer: Viewer, scene: Scene, wanted: Wanted) -> None:
    """Do it; raises :class:`~duplex.app.errors.DuplexError` or OSError."""
    window = viewer.window._window
    if wanted is Wanted.FRAME:
        camera = viewer.interface.overlay(scene).camera
        scene.frame((camera.width, camera.height))
    elif wanted is Wanted.RESET:
        scene.reset()
    elif wanted is Wanted.COPY:
        glfw.set_clipboard_string(window, scene.controls.to_text())
        viewer.notices.note("copied the view: paste it here again with Ctrl+V, or save it for --camera")
    elif wanted is Wanted.PASTE:
        text = glfw.get_clipboard_string(window) or b""
        scene.controls.paste(text if isinstance(text, str) else text.decode("utf-8", "replace"), scene.center)
    elif wanted is Wanted.PICTURE:
        _save_picture(viewer, scene)


def _save_picture(viewer: Viewer, scene: Scene) -> None:
    size = viewer.box(glfw.get_framebuffer_size(viewer.window._window))[2:]
    red, green, blue = viewer.panel.background
    folder, stem = folder_of(scene.path), scene.path.stem
    file = next(f for i in range(1, 10**6) if not (f := folder / f"{stem}-{i:03d}.png").exists())
    camera = scene.controls.camera(*size)
    save_png(scene.renderer.image(camera, (red, green, blue, 1.0), viewer.inspection.drawn(viewer.panel.view)), file)
    viewer.notices.note(f"{file}: {size[0]} x {size[1]}")
