"""Lines over the scene: ways and cameras, drawn by Dear ImGui behind its windows."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from imgui_bundle import imgui

from duplex.app.camera import Array, Camera


@dataclass(frozen=True)
class Overlay:
    """Draws over the scene that ``camera`` shows in the window, ``left`` of which are pixels that it leaves free."""

    camera: Camera
    left: float

    def places(self, points: Array) -> Array:
        """Where ``points`` (n, 3) of the world are in the window, (n, 2); NaN behind the camera."""
        camera = self.camera
        local = (points - camera.position) @ camera.camera_to_world[:3, :3]
        depth = np.where(local[:, 2] < -1e-6, -local[:, 2], np.nan)
        x, y = camera.cx + camera.fx * local[:, 0] / depth, camera.cy - camera.fy * local[:, 1] / depth
        return np.stack([self.left + x, y], -1)

    def sees(self, low: Array, high: Array) -> bool:
        """Whether the box from ``low`` to ``high`` (3,) may reach into the picture: no edge of it parts the two."""
        camera = self.camera
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), -1).reshape(-1, 3)
        x, y, z = ((corners - camera.position) @ camera.camera_to_world[:3, :3]).T
        beyond = (
            z > 0,
            camera.fx * x < z * camera.cx,
            camera.fx * x > -z * (camera.width - camera.cx),
            camera.fy * y > -z * camera.cy,
            camera.fy * y < z * (camera.height - camera.cy),
        )
        return not any(bool(side.all()) for side in beyond)

    def way(self, points: Array, color: int) -> None:
        """Declare lines from each of ``points`` (n, 3) to the next; ``color``: ABGR."""
        self._lines(list(itertools.pairwise(self.places(points))), color, 2)

    def frustum(self, pose: Array, fov: float, size: float, color: int) -> None:
        """Declare a pyramid, ``size`` world units high, where a camera of ``pose`` (4, 4) and ``fov`` stands."""
        side = size * math.tan(0.5 * fov)
        base = [[x * side, y * side, -size] for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
        found = self.places(np.array([[0, 0, 0], *base]) @ pose[:3, :3].T + pose[:3, 3])
        edges = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1))
        self._lines([(found[a], found[b]) for a, b in edges], color, 1.5)

    def _lines(self, ends: list[tuple[Array, Array]], color: int, width: float) -> None:
        target, width = imgui.get_background_draw_list(), width * imgui.get_style().font_scale_dpi
        for a, b in ends:
            if np.isfinite([a, b]).all() and max(np.abs(a).max(), np.abs(b).max()) < 1e5:
                target.add_line(imgui.ImVec2(*a), imgui.ImVec2(*b), color, width)
