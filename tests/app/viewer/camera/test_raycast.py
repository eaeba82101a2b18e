"""Rays through pixels meet meshes where they are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.app.scene.camera import Camera
from duplex.app.scene.mesh import Mesh
from duplex.app.viewer.camera.raycast import first_meeting, pixel_ray

WALL = Mesh.without_uvs(
    np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float), np.array([[0, 1, 2], [0, 2, 3]])
)


def camera(distance: float) -> Camera:
    pose = np.eye(4)
    pose[2, 3] = distance
    return Camera.from_fov(pose, 100, 80, np.pi / 2)


def test_a_pixel_sees_the_point_that_it_shows() -> None:
    origin, direction = pixel_ray(camera(2), 70, 30)
    met = first_meeting(WALL, origin, direction)
    assert met and np.allclose(met.point, [2 * 20 / 40, 2 * 10 / 40, 0]) and met.face == 0
    assert met.distance == pytest.approx(np.linalg.norm(met.point - origin))


def test_both_sides_are_met_and_the_nearer_face_first() -> None:
    shifted = WALL.positions + np.array([0, 0, 0.5])
    both = Mesh.without_uvs(np.concatenate([WALL.positions, shifted]), np.concatenate([WALL.faces, WALL.faces + 4]))
    for origin, direction, z in (([0.1, 0, 3], [0, 0, -1], 0.5), ([0.1, 0, -3], [0, 0, 1], 0.0)):
        met = first_meeting(both, np.array(origin, float), np.array(direction, float))
        assert met and met.point[2] == pytest.approx(z)


def test_what_is_missed_behind_or_edge_on_is_nothing() -> None:
    for origin, direction in (([3, 0, 1], [0, 0, -1]), ([0, 0, 1], [0, 0, 1]), ([-3, 0, 0], [1, 0, 0])):
        assert first_meeting(WALL, np.array(origin, float), np.array(direction, float)) is None
