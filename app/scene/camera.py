"""Cameras, and all coordinate conventions of the project.

* World: right-handed, in the frame of the checkpoint; each scene has its own ``up`` (``+z`` for Blender scenes).
* Camera: OpenGL; ``+x`` right, ``+y`` up, view direction ``-z``. ``camera_to_world`` (4, 4) multiplies column vectors.
* Pixels: row 0 is the top; the centre of pixel ``(column, row)`` lies at ``(column + 0.5, row + 0.5)``.
* Images in numpy: ``(height, width, channels)``, top row first. Clip space is OpenGL's, depth in [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER, Node
from duplex.app.scene.coordinates.pinhole import Pinhole, to_camera_space

MAX_SIDE = 16384  # pixels
MIN_FOCAL = 1e-3  # pixels


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    ``camera_to_world``: (4, 4) float64, a rigid transform; ``width``, ``height``: image size in pixels; ``fx``, ``fy``:
    focal lengths in pixels; ``cx``, ``cy``: principal point in pixels from the top left corner.
    """

    camera_to_world: Array
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def from_fov(cls, camera_to_world: Array, width: int, height: int, fov_y: float) -> Camera:
        """A centred camera with square pixels and a vertical field of view ``fov_y`` in radians."""
        focal = 0.5 * height / math.tan(0.5 * fov_y)
        pose = np.asarray(camera_to_world, np.float64).reshape(4, 4)
        return cls(pose, width, height, focal, focal, width / 2, height / 2)

    @classmethod
    def look_at(
        cls,
        position: ArrayLike,
        target: ArrayLike,
        *,
        up: ArrayLike = (0.0, 0.0, 1.0),
        size: tuple[int, int] = (800, 800),
        fov_y: float = 0.7,
    ) -> Camera:
        """A centred camera at ``position`` (3,) that looks at ``target`` (3,), both in world space.

        ``up``: (3,), world direction that points upwards in the image; ``size``: width and height in pixels;
        ``fov_y``: vertical field of view in radians.
        """
        return cls.from_fov(look_at(np.asarray(position), np.asarray(target), np.asarray(up)), *size, fov_y)

    @property
    def position(self) -> Array:
        """World position of the centre of projection, (3,)."""
        return self.camera_to_world[:3, 3]

    @property
    def fov_y(self) -> float:
        """Vertical field of view in radians, of a camera with a centred principal point and this height."""
        return 2 * math.atan(0.5 * self.height / self.fy)

    def moved(self, similarity: Array) -> Camera:
        """This camera after ``similarity`` (4, 4) transforms the world: rotation, uniform scale and translation."""
        pose = np.asarray(similarity, np.float64) @ self.camera_to_world
        pose[:3, :3] /= np.cbrt(np.linalg.det(pose[:3, :3]))
        return replace(self, camera_to_world=pose)

    def resized(self, width: int, height: int) -> Camera:
        """The same view at another resolution.

        The vertical field of view is kept; a new aspect ratio changes the horizontal one. The principal point keeps
        its offset from the image centre in units of the height.
        """
        scale = height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * scale,
            fy=self.fy * scale,
            cx=width / 2 + (self.cx - self.width / 2) * scale,
            cy=height / 2 + (self.cy - self.height / 2) * scale,
        )

    def padded(self, margin: int) -> Camera:
        """The same view with ``margin`` additional pixels on all four sides."""
        return replace(
            self,
            width=self.width + 2 * margin,
            height=self.height + 2 * margin,
            cx=self.cx + margin,
            cy=self.cy + margin,
        )

    def view_matrix(self) -> Array:
        """World to camera, (4, 4) float64."""
        return np.linalg.inv(self.camera_to_world)

    def projection_matrix(self, near: float, far: float) -> Array:
        """Camera to OpenGL clip space, (4, 4) float64; ``near`` and ``far`` are positive distances."""
        w, h = self.width, self.height
        return np.array(
            [
                [2 * self.fx / w, 0, 1 - 2 * self.cx / w, 0],
                [0, 2 * self.fy / h, 2 * self.cy / h - 1, 0],
                [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
                [0, 0, -1, 0],
            ]
        )

    @property
    def pinhole(self) -> Pinhole:
        """The intrinsics alone."""
        return Pinhole(self.fx, self.fy, self.cx, self.cy)

    def project(self, points: Array) -> tuple[Array, Array]:
        """Pixels (n, 2) as (x, y) and depths (n,) of world ``points`` (n, 3).

        The depth is negative behind the camera; pixels are only meaningful where it is positive.
        """
        x, y, depth = self.pinhole.project(to_camera_space(points, self.camera_to_world))
        return np.stack([x, y], -1), depth

    def ray_directions(self) -> Array:
        """World directions through the pixel centres, (height, width, 3) float32, scaled to depth 1 along ``-z``."""
        x, y = self.pinhole.on_plane(np.arange(self.width), np.arange(self.height))
        local = np.stack(np.broadcast_arrays(x[None, :], -y[:, None], -1.0), -1)
        return (local @ self.camera_to_world[:3, :3].T).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """The camera as the JSON object of bundles and camera files."""
        return {
            "camera_to_world": [float(x) for x in self.camera_to_world.reshape(-1)],
            "width": self.width,
            "height": self.height,
            "fx": self.fx,
            "fy": self.fy,
            "cx": self.cx,
            "cy": self.cy,
        }

    @classmethod
    def from_json(cls, data: Node) -> Camera:
        """Read an object of :meth:`to_json`, or one with ``camera_to_world`` and ``fov`` (vertical, degrees).

        Raises :class:`DuplexError`, which starts with the name of ``data`` and gives the invalid member.
        """
        pose = data.numbers("camera_to_world", 16).reshape(4, 4)
        rotation = pose[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2) or np.linalg.det(rotation) < 0:
            raise DuplexError(f"{data.name}: camera_to_world: its 3x3 part must be a right-handed rotation")
        if not np.array_equal(pose[3], [0, 0, 0, 1]):
            raise DuplexError(f"{data.name}: camera_to_world: its last row must be 0 0 0 1")
        width, height = (data.whole(key, 1, MAX_SIDE, 800) for key in ("width", "height"))
        if "fov" in data:
            return cls.from_fov(pose, width, height, math.radians(data.number("fov", 1, 170)))
        fx, fy = (data.number(key, MIN_FOCAL, MAX_NUMBER) for key in ("fx", "fy"))
        cx, cy = (data.number(key, -MAX_NUMBER, MAX_NUMBER) for key in ("cx", "cy"))
        return cls(pose, width, height, fx, fy, cx, cy)


def look_at(position: Array, target: Array, up: Array) -> Array:
    """Camera-to-world matrix (4, 4) float64 at ``position`` that looks at ``target``; ``up`` points upwards.

    All arguments are (3,), world. Any rotation about the view direction is possible if that is parallel to ``up``.
    """
    position = np.asarray(position, np.float64)
    backward = position - np.asarray(target, np.float64)
    backward /= max(float(np.linalg.norm(backward)), 1e-12)
    right = np.cross(np.asarray(up, np.float64), backward)
    if np.linalg.norm(right) < 1e-6:  # the view direction is parallel to up
        right = np.cross(np.eye(3)[np.argmin(np.abs(backward))], backward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :4] = np.stack([right, np.cross(backward, right), backward, position], -1)
    return pose


def focus_point(poses: Array) -> Array:
    """The point (3,) with the least sum of squared distances to the optical axes of ``poses`` (n, 4, 4).

    If that point lies behind most cameras, because they look apart, the result is their mean position.
    """
    eyes = poses[:, :3, 3]
    gaze = -poses[:, :3, 2]
    across = np.eye(3) - gaze[:, :, None] * gaze[:, None, :]  # projections onto the planes normal to the axes
    point = np.linalg.lstsq(across.sum(0), (across @ eyes[:, :, None]).sum(0)[:, 0], rcond=None)[0]
    ahead = ((point - eyes) * gaze).sum(1)
    return np.asarray(point if np.median(ahead) > 0 else eyes.mean(0))


def horizontal_axes(up: Array) -> tuple[Array, Array]:
    """Two unit vectors (3,) that form a right-handed frame with ``up`` (3,): ``+y`` and ``-x`` for ``+z``."""
    up = np.asarray(up, np.float64)
    first = np.cross(up, np.eye(3)[int(np.argmin(np.abs(up)))])
    first /= np.linalg.norm(first)
    return first, np.cross(up, first)
