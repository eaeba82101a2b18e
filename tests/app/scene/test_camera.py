"""Projection, poses, orbits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from builders.frames import similarity
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node
from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.orbits import Orbit


def some_camera() -> Camera:
    pose = look_at(np.array([1.0, -3.0, 2.0]), np.array([0.2, 0.1, 0.0]), np.array([0, 0, 1.0]))
    return Camera(pose, 64, 48, 70.0, 75.0, 30.0, 25.0)


@pytest.mark.parametrize("margin", [0, 3])
def test_projection_sends_every_ray_to_its_pixel_centre(margin: int) -> None:
    camera = some_camera().padded(margin)
    points = camera.position + 2.5 * camera.ray_directions().astype(np.float64)
    clip = np.concatenate([points, np.ones((*points.shape[:2], 1))], -1)
    clip = clip @ (camera.projection_matrix(0.1, 10) @ camera.view_matrix()).T
    pixels = (clip[..., :2] / clip[..., 3:] * 0.5 + 0.5) * [camera.width, camera.height]
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    assert np.allclose(pixels[..., 0], columns, atol=1e-4)
    assert np.allclose(camera.height - pixels[..., 1], rows, atol=1e-4)


def test_padding_adds_pixels_around_the_same_view() -> None:
    camera = some_camera()
    assert np.allclose(camera.padded(4).ray_directions()[4:-4, 4:-4], camera.ray_directions(), atol=1e-6)


def test_look_at_looks_at() -> None:
    for up in np.eye(3):
        pose = look_at(np.array([1.0, 2.0, 3.0]), np.zeros(3), up)
        assert np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3))
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
        assert np.allclose(-pose[:3, 2], -np.array([1, 2, 3]) / math.sqrt(14))
        assert pose[:3, 1] @ up > 0
    straight_down = look_at(np.array([0, 0, 2.0]), np.zeros(3), np.array([0, 0, 1.0]))
    assert np.isfinite(straight_down).all() and np.linalg.det(straight_down[:3, :3]) == pytest.approx(1)


def test_json_round_trip_and_short_form() -> None:
    camera = some_camera()
    again = Camera.from_json(Node(camera.to_json(), "camera"))
    assert np.array_equal(camera.ray_directions(), again.ray_directions())
    short = Camera.from_json(
        Node({"camera_to_world": np.eye(4).reshape(-1).tolist(), "fov": 90, "width": 10, "height": 20}, "camera")
    )
    assert short.fy == pytest.approx(10) and (short.cx, short.cy) == (5, 10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"camera_to_world": None}, "camera_to_world"),
        ({"camera_to_world": [1.0] * 15}, "16 finite numbers"),
        ({"camera_to_world": [math.nan] * 16}, "16 finite numbers"),
        ({"camera_to_world": np.diag([1.0, 1, -1, 1]).reshape(-1).tolist()}, "right-handed"),
        ({"camera_to_world": np.diag([2.0, 2, 2, 1]).reshape(-1).tolist()}, "rotation"),
        ({"camera_to_world": [*np.eye(4).reshape(-1)[:12].tolist(), 0, 0, 0, 0]}, "last row"),
        ({"camera_to_world": [10**400] * 16}, "16 finite numbers"),
        ({"fx": -1}, "from 0.001"),
        ({"fx": "wide"}, "fx"),
        ({"fov": 500}, "170"),
        ({"width": 0}, "width"),
        ({"width": 10**9}, "width"),
    ],
)
def test_a_broken_camera_is_refused_by_name(change: dict[str, object], words: str) -> None:
    with pytest.raises(DuplexError, match=words):
        Camera.from_json(Node(some_camera().to_json() | change, "camera"))


def test_orbit_keeps_its_distance_and_its_aim() -> None:
    orbit = Orbit(np.array([1.0, 2.0, 3.0]), 5.0, np.array([0, 0, 1.0]), 0.7)
    cameras = orbit.cameras(6, 40, 30)
    positions = np.array([c.position for c in cameras])
    assert np.allclose(np.linalg.norm(positions - orbit.center, axis=1), 5)
    assert np.allclose(positions[:, 2], positions[0, 2])
    assert len(np.unique(positions.round(6), axis=0)) == 6
    wide, tall = orbit.camera(0, 40, 30), orbit.camera(0, 30, 60)
    assert wide.fov_y == pytest.approx(0.7)
    assert 2 * math.atan(15 / tall.fx) == pytest.approx(0.7) and tall.fx == tall.fy  # its width shows as much


def test_a_moved_camera_sees_the_moved_world() -> None:
    camera = Camera.from_fov(look_at(np.array([3.0, 1.0, 0.5]), np.zeros(3), np.array([0, 0, 1.0])), 40, 30, 0.7)
    point, matrix = np.array([0.2, -0.1, 0.3, 1.0]), similarity()

    def pixel(seen_by: Camera, place: np.ndarray) -> np.ndarray:
        x, y, z = (seen_by.view_matrix() @ place)[:3]
        return np.array([seen_by.cx - seen_by.fx * x / z, seen_by.cy + seen_by.fy * y / z])

    assert np.allclose(pixel(camera, point), pixel(camera.moved(matrix), matrix @ point))


def test_rays_pass_through_pixel_centres() -> None:
    camera = replace(Camera.from_fov(np.eye(4), 4, 2, math.pi / 2), cx=2.5)
    rays = camera.ray_directions()
    assert rays.shape == (2, 4, 3)
    assert np.allclose(rays[0, 0], [(0.5 - 2.5) / 1, 0.5, -1])
