"""The bundle that is open in the window: its renderer, its camera and its path."""

from __future__ import annotations

import os
from pathlib import Path

import moderngl
import numpy as np

from duplex.app.core.files import Stamp, stamp_of
from duplex.app.render.backend_selection import fastest
from duplex.app.render.backends.names import AUTO
from duplex.app.render.passes.wireframe import COLORS, WireframePass
from duplex.app.render.renderer import Renderer
from duplex.app.scene.archive import sizes_by_kind
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.orbits import path_from_rig, scene_orbit, scene_pivot, trained_elevations
from duplex.app.viewer.camera.bookmarks import Bookmark, bookmarks_of, keep_bookmarks
from duplex.app.viewer.camera.camera_controls import CameraControls
from duplex.app.viewer.camera.keyframe_editor import KeyframeEditor, PathOutput
from duplex.app.viewer.crop_box import box_around
from duplex.assets import DEMO_BUNDLE

START_SIDE = 800  # pixels of the square picture that the first camera is made for


class OpenScene:
    """``bundle``, which was read from ``path`` and is seen from ``camera`` first.

    ``backend``: with ``auto``, :meth:`choose_backend` measures which one is fastest. ``stamp``: the file's when it was
    read, to notice changes. ``fitted``: whether the first view has been fitted into the window. ``camera_index``: the
    bundle's camera that was last jumped to, -1 at first. ``elevations``: of the lowest and the highest camera of the
    bake, radians above the horizon, None where that means nothing.
    ``sizes``: of the file's kinds of parts; ``bookmarks``: named views; ``box``:
    around it in the dataset's frame.
    """

    def __init__(
        self,
        ctx: moderngl.Context,
        bundle: Bundle,
        path: Path,
        camera: Camera | None = None,
        backend: str = AUTO,
    ):
        self.bundle = bundle
        self.path = path
        self.backend = backend
        self.undecided = backend == AUTO
        self.camera_index = -1
        self.stamp: Stamp = stamp_of(path) or (0, 0)
        self.sizes = sizes_by_kind(path, self.bytes)
        self.renderer = Renderer(ctx, bundle, backend)
        self._edges: list[WireframePass] = []
        pivot = scene_pivot(bundle)
        self.elevations = trained_elevations(bundle.rig)
        self.center = pivot.point
        self.fitted = camera is not None
        self._fits = camera is None and path_from_rig(bundle.rig) is None
        self.start = camera or scene_orbit(bundle).camera(0, START_SIDE, START_SIDE)
        self.controls = CameraControls.around(self.start, pivot.point, pivot.length, np.array(bundle.up))
        self.bookmarks = bookmarks_of(path)
        self.box = box_around(bundle)
        self.editor = KeyframeEditor(bundle, PathOutput.beside(folder_for_output(path), path.stem))

    @property
    def size(self) -> float:
        """The diagonal of the shells' bounding box without what is far away, world units."""
        low, high = self.bundle.bounds
        return min(float(np.linalg.norm(high - low)), 2 * self.controls.radius)

    def set_bookmarks(self, bookmarks: list[Bookmark]) -> None:
        """Keep these named views; raises OSError."""
        keep_bookmarks(bookmarks, self.path)
        self.bookmarks = bookmarks

    @property
    def bytes(self) -> int:
        """The file's size when it was read."""
        return self.stamp[1]

    def draw_edges(
        self,
        shells: tuple[bool, bool],
        camera: Camera,
        part: tuple[int, int, int, int],
        out: moderngl.Framebuffer,
    ) -> None:
        """Draw the triangle edges of the outer and the inner shell, where ``shells`` says so, over the picture.

        ``camera``: of a picture as large as ``part`` (left, bottom, width, height) of ``out``.
        """
        if not any(shells):
            return
        if not self._edges:
            ctx = self.renderer.ctx
            self._edges = [WireframePass(ctx, *each) for each in zip(self.renderer.shells, COLORS, strict=True)]
        transform = self.renderer.transform_of(camera)
        for edges, shown in zip(self._edges, shells, strict=True):
            if shown:
                edges.render(transform, part, out=out)

    def file_changed(self) -> bool:
        """Whether the file has changed since the last call."""
        old = self.stamp
        self.stamp = stamp_of(self.path) or self.stamp
        return old != self.stamp

    def rebuilt(self, bundle: Bundle | None = None) -> OpenScene:
        """A new scene from ``bundle``, by default the same one, with this one's camera and path."""
        backend = self.backend if self.undecided else self.renderer.backend.name
        camera = self.controls.camera(START_SIDE, START_SIDE)
        made = OpenScene(self.renderer.ctx, bundle or self.bundle, self.path, camera, backend)
        made.stamp = self.stamp
        made.backend = self.backend
        made.start, made.fitted, made._fits = self.start, self.fitted, self._fits
        made.camera_index = self.camera_index
        made.controls = self.controls
        made.editor = self.editor
        made.editor.bundle = made.bundle
        return made

    def reread(self) -> OpenScene:
        """:meth:`rebuilt` from the file; raises :class:`DuplexError` where the file is no bundle."""
        return self.rebuilt(read_bundle(self.path))

    def choose_backend(self, size: tuple[int, int]) -> None:
        """Change to the backend that draws a frame of ``size`` fastest here, among those that draw it right."""
        self.undecided = False
        self.renderer = fastest(self.renderer, self.controls.camera(*size))

    def nearest_reference(self, camera: Camera) -> int:
        """The index of the reference picture that was made nearest to ``camera``."""
        eyes = np.array([reference.camera.position for reference in self.bundle.references])
        return int(np.linalg.norm(eyes - camera.position, axis=1).argmin())

    def jump(self, index: int) -> None:
        """Go to the bundle's camera ``index``."""
        self.camera_index = index
        self.controls.set(self.bundle.cameras[index], self.center)

    def show(self, camera: Camera) -> None:
        """Be at ``camera`` at once."""
        self.controls.set(camera, self.center)
        self.controls.arrive()

    def frame(self, size: tuple[int, int]) -> None:
        """See the whole scene in a picture of ``size``."""
        if path_from_rig(self.bundle.rig) is None:
            self.controls.frame(self.center, size[0] / size[1])
        else:  # a scene that surrounds the camera fits no picture: go back to where its own cameras stood
            self.controls.set(scene_orbit(self.bundle).camera(0, *size), self.center)

    def fit(self, size: tuple[int, int]) -> None:
        """Be at the first view, from so far away that a picture of ``size`` shows the whole scene."""
        self.fitted = True
        self._go_to_start(size)
        self.controls.arrive()

    def reset(self, size: tuple[int, int]) -> None:
        """Go back to the first view, with the bundle's own upward axis, in a picture of ``size``."""
        self.controls.set_up(np.array(self.bundle.up))
        self._go_to_start(size)

    def _go_to_start(self, size: tuple[int, int]) -> None:
        self.controls.set(self.start, self.center)
        if self._fits:  # it is made for a square
            self.controls.retreat(max(size[1] / max(size[0], 1), 1.0))


def folder_for_output(path: Path) -> Path:
    """The folder for files about the bundle ``path``: its own, or where that is read-only, the user's home."""
    folder = path.absolute().parent
    return folder if path != DEMO_BUNDLE and os.access(folder, os.W_OK) else Path.home()
