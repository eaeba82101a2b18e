"""From where a bundle is judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.camera import Camera
from duplex.assets import DEMO_BUNDLE
from duplex.baking.evaluation.viewpoints import along_photos, elsewhere, ring, turn, unseen_cameras
from duplex.baking.provenance import rig_of


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(DEMO_BUNDLE)


def test_rings_keep_the_gaze_and_change_the_distance(bundle: Bundle) -> None:
    center = rig_of(bundle).center
    cameras = unseen_cameras(bundle, 3, 32)
    for times in (0.4, 2.5):
        for near, camera in zip(ring(bundle, cameras, times), cameras, strict=True):
            assert np.allclose(near.position - center, times * (camera.position - center))
            assert np.allclose(near.camera_to_world[:3, :3], camera.camera_to_world[:3, :3])


def test_elsewhere_is_far_from_where_cameras_stood(bundle: Bundle) -> None:
    def directions(some: Bundle) -> np.ndarray:
        rig = rig_of(some)
        seen = np.array([camera.position - rig.center for camera in elsewhere(some, 9, 32)]).reshape(-1, 3)
        assert np.allclose(np.linalg.norm(seen, axis=1), rig.radius)
        return seen / rig.radius

    upper = replace(bundle, rig={**bundle.rig, "hemisphere": True, "up": [0.0, 0.0, 1.0], "dataset_cameras": 0})
    assert len(directions(upper)) == 9 and (directions(upper)[:, 2] <= -0.49).all()
    whole = replace(upper, rig={**upper.rig, "hemisphere": False})
    assert len(directions(whole)) == 0
    some = replace(upper, rig={**upper.rig, "dataset_cameras": 1})
    stood = bundle.cameras[-1].position - rig_of(some).center
    assert (directions(some) @ (stood / np.linalg.norm(stood))).max() <= np.cos(np.radians(30)) + 1e-6


def test_a_scene_around_its_cameras_has_neither(bundle: Bundle) -> None:
    room = replace(bundle, rig={**bundle.rig, "surrounded": True})
    assert ring(room, unseen_cameras(room, 2, 32), 2.5) == [] and elsewhere(room, 4, 32) == []


def test_the_way_along_photos_passes_each_of_them(bundle: Bundle) -> None:
    photos = [
        Camera.look_at((np.cos(a), np.sin(a), 0.2 * a), (0, 0, 0), size=(200, 300), fov_y=0.9)
        for a in np.linspace(0, 2, 5)
    ]
    rig = bundle.rig | {"surrounded": True, "dataset_cameras": 5}
    inside = replace(bundle, cameras=(*bundle.cameras, *photos), rig=rig)
    way = along_photos(inside, 9, 150)
    assert {(camera.width, camera.height) for camera in way} == {(100, 150)}
    for camera, photo in zip(way[::2], photos, strict=True):
        assert np.abs(camera.camera_to_world - photo.camera_to_world).max() < 1e-6
        assert camera.fov_y == pytest.approx(photo.fov_y)
    middle = 0.5 * (photos[0].position + photos[1].position)
    assert np.abs(way[1].position - middle).max() < 1e-6
    assert along_photos(bundle, 9, 150) == []
    assert along_photos(replace(bundle, rig=rig | {"dataset_cameras": 0}), 9, 150) == []


def test_a_turn_goes_all_around(bundle: Bundle) -> None:
    cameras = turn(bundle, 4, 32)
    offsets = np.array([camera.position for camera in cameras]) - rig_of(bundle).center
    assert np.allclose(offsets.sum(0)[:2], 0, atol=1e-6)
