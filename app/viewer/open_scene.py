"""An open bundle in the viewer: what draws it, and where its camera is."""

from __future__ import annotations

import os
from pathlib import Path

import moderngl
import numpy as np

from duplex.app.core.files import stamp_of
from duplex.app.render.backend_selection import fastest
from duplex.app.render.backends.names import AUTO
from duplex.app.render.passes.wireframe import COLORS, WireframePass
from duplex.app.render.renderer import Renderer
from duplex.app.render.timers import PassTimers
from duplex.app.scene.bundle import Bundle, read_bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.orbits import scene_orbit, scene_pivot, way_from_rig
from duplex.app.viewer.camera_controls import CameraControls
from duplex.app.viewer.panels.path import PathEditor
from duplex.assets import DEMO_BUNDLE


class Scene:
    """``bundle``, which was read from ``path``, drawn with ``timers``; it begins at ``camera``.

    ``backend``: with ``auto`` the fastest one here is found out by :meth:`choose_backend`. ``stamp``: the file's when
    it was read, by which a change is known. ``camera_index``: the bundle's camera that was jumped to last, -1 at first.
    """

    def __init__(
        self,
        ctx: moderngl.Context,
        bundle: Bundle,
        path: Path,
        timers: PassTimers,
        camera: Camera | None = None,
        backend: str = AUTO,
    ):
        self.bundle, self.path, self.backend, self.camera_index = bundle, path, backend, -1
        self.stamp = stamp_of(path) or (0, 0)
        self.renderer = Renderer(ctx, bundle, backend)
        self.wires: list[WireframePass] = []
        self.undecided = backend == AUTO
        self.timers = timers
        self.center, radius = scene_pivot(bundle)
        self.start = camera or scene_orbit(bundle).camera(0, 800, 800)
        self.controls = CameraControls.around(self.start, self.center, radius, np.array(bundle.up))
        self.path_editor = PathEditor.beside(bundle, folder_of(path), path.stem)

    def draw_wires(
        self,
        wanted: tuple[bool, bool],
        camera: Camera,
        part: tuple[int, int, int, int],
        out: moderngl.Framebuffer,
    ) -> None:
        """Draw the edges of the outer and the inner shell, where ``wanted``, over the picture of ``camera``."""
        if not any(wanted):
            return
        if not self.wires:
            shells, ctx = self.renderer.shells, self.renderer.ctx
            self.wires = [WireframePass(ctx, shell, color) for shell, color in zip(shells, COLORS, strict=True)]
        view = self.renderer.transform_of(camera)
        for wires, drawn in zip(self.wires, wanted, strict=True):
            if drawn:
                wires.render(view, part, out=out)

    @property
    def size(self) -> float:
        """From one corner of what the shells fill to the other, world units."""
        low, high = self.bundle.bounds
        return float(np.linalg.norm(high - low))

    @property
    def bytes(self) -> int:
        """The file's, when it was read."""
        return self.stamp[1]

    def changed(self) -> bool:
        """Whether the file is another one now; told once for every change."""
        old, self.stamp = self.stamp, stamp_of(self.path) or self.stamp
        return old != self.stamp

    def renewed(self, bundle: Bundle | None = None) -> Scene:
        """The same scene built anew, from ``bundle`` or from its own: seen from the same camera, with the same path."""
        ctx, width = self.renderer.ctx, 800
        backend = self.backend if self.undecided else self.renderer.backend.name
        made = Scene(ctx, bundle or self.bundle, self.path, self.timers, self.controls.camera(width, width), backend)
        made.stamp = self.stamp
        made.backend, made.start, made.camera_index = self.backend, self.start, self.camera_index
        made.controls, made.path_editor = self.controls, self.path_editor
        made.path_editor.bundle = made.bundle
        return made

    def read_again(self) -> Scene:
        """:meth:`renewed` from the file; raises :class:`DuplexError` where that holds no bundle."""
        return self.renewed(read_bundle(self.path))

    def choose_backend(self, size: tuple[int, int]) -> None:
        """Keep the backend that draws a frame of ``size`` fastest here, and right."""
        self.undecided = False
        self.renderer = fastest(self.renderer, self.controls.camera(*size))
        self.timers.forget()

    def jump(self, index: int) -> None:
        """Go to the bundle's camera ``index``."""
        self.camera_index = index
        self.controls.set(self.bundle.cameras[index], self.center)

    def show(self, camera: Camera) -> None:
        """Be at ``camera`` at once."""
        self.controls.set(camera, self.center)
        self.controls.arrive()

    def frame(self, size: tuple[int, int]) -> None:
        """See all of it in a picture of ``size``."""
        if way_from_rig(self.bundle.rig) is None:
            self.controls.frame(self.center, size[0] / size[1])
        else:  # a scene around the camera fits no picture: go back to where its own cameras stood
            self.controls.set(scene_orbit(self.bundle).camera(0, *size), self.center)

    def reset(self) -> None:
        """Go back to the first camera, with the bundle's own up."""
        self.controls.set_up(np.array(self.bundle.up))
        self.controls.set(self.start, self.center)


def folder_of(path: Path) -> Path:
    """Where files about the bundle ``path`` go: beside it, or where that cannot be written, into the user's home."""
    folder = path.absolute().parent
    return folder if path != DEMO_BUNDLE and os.access(folder, os.W_OK) else Path.home()
