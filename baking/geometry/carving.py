"""Which cells of the scan to keep: those that a camera sees and that are not a backdrop.

A NeRF trained against a plain background may represent that background by opaque matter ("a white floor"), because no
training view shows the difference. Such a backdrop must not become a shell, or the viewer could not replace the
background. It is detected in rendered views: pixels of the background colour, connected to the image border, many of
them opaque. A teacher with empty surroundings has no backdrop, and nothing is carved.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.app.scene.coordinates.pinhole import to_camera_space
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import Teacher
from duplex.baking.fields.rendering import rays_of

BACKDROP_TOLERANCE = 3 / 255
MIN_OPAQUE = 0.05  # share of opaque ones among the background-coloured pixels from which on they are a backdrop
BACKDROP_VOTES = 0.1  # largest share of cameras that see the backdrop in the place of a cell
FRAME_SHARE = 0.25  # share of all cameras that must have a cell in their image


def carve(teacher: Teacher, scan: DensityGrid, solid: Array, cameras: list[Camera]) -> Array:
    """The cells of ``solid`` (bool, laid out as ``scan``) that a camera sees and that are not a backdrop."""
    renderer = FastRenderer(teacher, scan, sub_steps=3)
    cells = np.argwhere(solid)
    points = scan.low + scan.step * cells
    in_frame, lit, backdrop = (np.zeros(len(cells), np.int32) for _ in range(3))
    for camera in cameras:
        rgbw, reach = (x.cpu().numpy() for x in renderer.probe(*rays_of(camera, teacher.device)))
        shape = (camera.height, camera.width)
        behind = _backdrop(rgbw.reshape(*shape, 4), teacher.scene.background)
        column, row, distance, inside = _project(camera, points)
        before = inside & behind[row, column]  # no training view has seen this cell or what it hides
        lit += inside & ~before & (distance < reach.reshape(shape)[row, column] + 2 * scan.step)
        in_frame += inside
        backdrop += before
    keep = (lit > 0) & (in_frame >= FRAME_SHARE * len(cameras)) & (backdrop <= BACKDROP_VOTES * (lit + backdrop))
    out = np.zeros_like(solid)
    out[tuple(cells[keep].T)] = True
    return out


def _backdrop(rgbw: Array, background: tuple[float, float, float]) -> Array:
    """Background-coloured pixels (h, w) connected to the image border; none where most of them are transparent."""
    shown = rgbw[..., :3] + (1 - rgbw[..., 3:]) * np.array(background, np.float32)
    labels, _ = ndimage.label(np.abs(shown - background).max(-1) < BACKDROP_TOLERANCE)
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    found = np.isin(labels, rim[rim > 0])
    if (rgbw[..., 3] > 0.5)[found].sum() <= MIN_OPAQUE * found.sum():
        return np.zeros_like(found)
    return np.asarray(ndimage.binary_erosion(found, border_value=1))


def _project(camera: Camera, points: Array) -> tuple[Array, Array, Array, Array]:
    """Pixel column and row (clipped into the picture), distance, and whether inside it, of world points (n, 3)."""
    local = to_camera_space(points, camera.camera_to_world)
    x, y, depth = camera.pinhole.project(local)
    inside = (depth > 0) & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    column = np.clip(x, 0, camera.width - 1).astype(int)
    row = np.clip(y, 0, camera.height - 1).astype(int)
    return column, row, np.linalg.norm(local, axis=1), inside
