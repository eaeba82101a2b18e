"""From where a bundle is judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.assets import DEMO_BUNDLE
from duplex.baking.evaluation.viewpoints import elsewhere, ring, turn, unseen_cameras
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


def test_a_turn_goes_all_around(bundle: Bundle) -> None:
    cameras = turn(bundle, 4, 32)
    offsets = np.array([camera.position for camera in cameras]) - rig_of(bundle).center
    assert np.allclose(offsets.sum(0)[:2], 0, atol=1e-6)
