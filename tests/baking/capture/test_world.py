from __future__ import annotations

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.baking.capture.world import upright_world


def moved(scale: float, rotation: Array, translation: Array, poses: Array) -> Array:
    result = poses.copy()
    result[:, :3, :3] = rotation @ poses[:, :3, :3]
    result[:, :3, 3] = scale * poses[:, :3, 3] @ rotation.T + translation
    return result


def arbitrary(rng: np.random.Generator) -> tuple[float, Array, Array]:
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return 7.0, rotation * np.sign(np.linalg.det(rotation)), rng.normal(size=3)


def test_a_ring_of_cameras_stands_upright_around_the_origin_at_distance_one() -> None:
    rng = np.random.default_rng(3)
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    eyes = [(3 * np.cos(turn), 3 * np.sin(turn), 1.0) for turn in turns]
    true = np.stack([Camera.look_at(eye, (0, 0, 0)).camera_to_world for eye in eyes])
    points = rng.normal(0, 0.1, (500, 3))
    s, r, t = arbitrary(rng)
    other = moved(s, r, t, true)
    found = moved(*upright_world(other, s * points @ r.T + t), other)
    assert np.allclose(found[:, 2, 3], found[0, 2, 3], atol=0.01) and found[0, 2, 3] > 0.2
    assert np.allclose(np.linalg.norm(found[:, :3, 3], axis=1), 1, atol=0.05)
    assert (found[:, 2, 1] > 0.9).all()
    assert np.linalg.det(found[0, :3, :3]) > 0


def test_cameras_side_by_side_keep_their_own_up_axis() -> None:
    poses = np.tile(np.eye(4), (12, 1, 1))
    poses[:, 0, 3] = np.linspace(-1, 1, 12)
    points = np.random.default_rng(0).normal(0, 0.2, (300, 3)) + np.array([0.0, 0, -5])
    found = moved(*upright_world(poses, points), poses)
    assert np.allclose(found[:, :3, 1], [0, 0, 1], atol=1e-6)
    assert abs(float(np.median(np.linalg.norm(found[:, :3, 3], axis=1))) - 1) < 0.1
