"""Opening the viewer's window on a bundle: ``duplex.view`` and ``duplex-viewer``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from duplex.app.core import interrupts
from duplex.app.core.errors import WITHOUT_WINDOW, NoDisplayError
from duplex.app.core.files import stamp_of
from duplex.app.render.backends.names import AUTO
from duplex.app.render.gpu import INSTALL_HINT
from duplex.app.render.views import Unseen
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.camera import Camera

IN_MEMORY = Path("scene in memory")  # the title of a bundle that no file holds


def view(
    scene: Bundle | str | Path,
    camera: Camera | int | None = None,
    size: tuple[int, int] | None = None,
    *,
    backend: str = AUTO,
    background: tuple[float, float, float] | None = None,
    unseen: str | None = None,
) -> None:
    """Open ``scene`` in the viewer's window and return when the window is closed.

    Args:
        scene: A bundle, or the path of one; the latter is read again when its file changes.
        camera: Where to begin: a camera, or the index of one of the bundle's; by default a view of the whole scene.
        size: Of the window in pixels; by default as large as last time.
        backend: What runs the network; ``"auto"`` measures which is the fastest.
        background: RGB in [0, 1]; by default the colour that the teacher was trained against.
        unseen: What becomes of parts that no camera of the bake saw: ``"fade"``, ``"show"`` or ``"hide"``; by default
            what was chosen last.

    Raises:
        NoDisplayError: No window can be opened here.
        DuplexError: The file is no sound bundle, or the driver refuses to draw it.
    """
    shown = Unseen.parse(unseen) if unseen else None
    path = IN_MEMORY if isinstance(scene, Bundle) else Path(scene)
    stamp = stamp_of(path)
    bundle = scene if isinstance(scene, Bundle) else read_bundle(path)
    first = bundle.camera(camera) if isinstance(camera, int) else camera
    with interrupts.Polling():
        try:
            from duplex.app.viewer.window import Viewer
        except ImportError as error:  # of a library that a system without screens need not have
            raise NoDisplayError(f"no window can be opened here ({error}): {INSTALL_HINT}; {WITHOUT_WINDOW}") from None
        window = Viewer(size, backend)
        if shown:
            window.state.look = replace(window.state.look, unseen=shown)
        window.show(bundle, path, first, stamp, background)
        window.run()
