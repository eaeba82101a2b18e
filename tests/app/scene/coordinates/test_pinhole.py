"""One pinhole formula for numpy and torch; parity with the camera's own rays."""

from __future__ import annotations

import numpy as np
import torch

from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.coordinates.pinhole import Pinhole, directions_through, to_camera_space

CAMERA = Camera(look_at(np.array([1.0, 2, 3]), np.zeros(3), np.array([0, 0, 1.0])), 12, 8, 9.0, 7.0, 5.5, 4.5)


def test_points_along_a_ray_project_onto_its_pixel():
    points = CAMERA.position + 2.5 * CAMERA.ray_directions().astype(np.float64)
    pixels, depth = CAMERA.project(points.reshape(-1, 3))
    rows, columns = np.mgrid[:8, :12] + 0.5
    assert np.allclose(pixels, np.stack([columns, rows], -1).reshape(-1, 2), atol=1e-5)
    assert np.allclose(depth, 2.5, atol=1e-6)


def test_points_behind_the_camera_have_a_negative_depth_and_finite_pixels():
    pixels, depth = CAMERA.project(CAMERA.position - CAMERA.ray_directions().astype(np.float64).reshape(-1, 3))
    assert np.allclose(depth, -1, atol=1e-6)
    assert np.isfinite(pixels).all()


def test_torch_projects_as_numpy_does():
    points = np.random.default_rng(0).normal(size=(50, 3))
    tensors = torch.from_numpy(points), torch.from_numpy(CAMERA.camera_to_world)
    x, y, depth = CAMERA.pinhole.project(to_camera_space(*tensors))
    pixels, expected = CAMERA.project(points)
    assert np.allclose(np.stack([x, y], -1), pixels)
    assert np.allclose(depth, expected)


def test_rays_of_single_pixels_are_those_of_the_whole_picture():
    rows, columns = torch.tensor([0, 3, 7]), torch.tensor([0, 11, 5])
    lens = Pinhole(*(torch.tensor([value] * 3) for value in (CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)))
    x, y = lens.on_plane(columns, rows)
    axes = torch.from_numpy(CAMERA.camera_to_world[:3, :3].astype(np.float32)).T
    found = directions_through(x[:, None], y[:, None], *axes)
    assert np.allclose(found, CAMERA.ray_directions()[rows, columns], atol=1e-6)
