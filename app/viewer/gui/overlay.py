"""Lines over the scene: camera paths and cameras, which Dear ImGui draws behind its windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from imgui_bundle import imgui

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.app.scene.coordinates.pinhole import to_camera_space

MOST_FRUSTA = 400
NEAREST = 1e-6  # depth, world units, of a point that has a place in the window
EDGES = np.array([(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1)])  # of a frustum


@dataclass(frozen=True)
class Overlay:
    """Draws over the scene.

    ``camera``: of the scene's picture, in window coordinates; ``left``: where the picture begins in the window.
    """

    camera: Camera
    left: float

    def places(self, points: Array) -> Array:
        """Where ``points`` (n, 3), world, are in the window, (n, 2); NaN behind the camera."""
        pixels, depth = self.camera.project(points)
        return np.where(depth[:, None] > NEAREST, pixels + np.array([self.left, 0.0]), np.nan)

    def sees(self, low: Array, high: Array) -> bool:
        """Whether the box from ``low`` to ``high`` (3,) may be in view: it is not beyond any side of the picture."""
        camera = self.camera
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3)
        x, y, z = to_camera_space(corners, camera.camera_to_world).T
        beyond = (
            z > 0,
            camera.fx * x < z * camera.cx,
            camera.fx * x > -z * (camera.width - camera.cx),
            camera.fy * y > -z * camera.cy,
            camera.fy * y < z * (camera.height - camera.cy),
        )
        return not any(bool(side.all()) for side in beyond)

    def line(self, points: Array, color: int) -> None:
        """Declare a line through ``points`` (n, 3); ``color``: ABGR."""
        found = self.places(points)
        self._lines(found[:-1], found[1:], color, 2)

    def frusta(self, poses: Sequence[Array], fovs: Sequence[float], size: float, color: int) -> None:
        """Declare a pyramid, ``size`` world units high, for each camera of ``poses`` (4, 4) and ``fovs``.

        Of more than :data:`MOST_FRUSTA` cameras, only some are drawn, evenly chosen, so that the window stays fast.
        """
        chosen = np.unique(np.linspace(0, len(poses) - 1, min(len(poses), MOST_FRUSTA)).round().astype(int))
        if not len(chosen):
            return
        placed = np.stack([poses[i] for i in chosen])
        side = np.tan(0.5 * np.array([fovs[i] for i in chosen]))
        corners = np.array([[0, 0, 0], [1, 1, -1], [-1, 1, -1], [-1, -1, -1], [1, -1, -1]], np.float64)
        local = size * corners * np.stack([side, side, np.ones_like(side)], -1)[:, None]
        points = local @ placed[:, :3, :3].transpose(0, 2, 1) + placed[:, None, :3, 3]
        found = self.places(points.reshape(-1, 3)).reshape(-1, 5, 2)
        ends = found[:, EDGES].reshape(-1, 2, 2)
        self._lines(ends[:, 0], ends[:, 1], color, 1.5)

    def _lines(self, begins: Array, ends: Array, color: int, width: float) -> None:
        """Declare lines between places (n, 2), except those behind the camera or far outside the window."""
        target = imgui.get_background_draw_list()
        width *= imgui.get_style().font_scale_dpi
        near = (np.abs(np.concatenate([begins, ends], -1)) < 1e5).all(-1)  # NaN is not
        for (ax, ay), (bx, by) in zip(begins[near].tolist(), ends[near].tolist(), strict=True):
            target.add_line(imgui.ImVec2(ax, ay), imgui.ImVec2(bx, by), color, width)
