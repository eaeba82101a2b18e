"""Orbit, trackball and flight."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pyglm import glm

from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.orbits import Orbit
from duplex.app.viewer.camera.camera_controls import FAST, FLY, MODES, ORBIT, SIDES, TRACKBALL, CameraControls

UP = np.array([0, 0, 1.0])


def controls(mode: str = ORBIT) -> CameraControls:
    camera = Orbit(np.zeros(3), 4.0, UP, 0.7).camera(0, 40, 30)
    found = CameraControls.around(camera, np.zeros(3), 1.0, UP)
    found.mode = mode
    return found


@pytest.mark.parametrize("pose", ["level", "tilted"])
def test_controls_begin_at_the_given_camera(pose: str) -> None:
    start = Orbit(np.zeros(3), 4.0, UP, 0.7).camera(0.3, 40, 30)
    if pose == "tilted":  # as photos taken by hand are
        turned = start.camera_to_world.copy()
        turned[:3, :2] = turned[:3, :2] @ [[0.8, -0.6], [0.6, 0.8]]
        start = replace(start, camera_to_world=turned)
    found = CameraControls.around(start, np.zeros(3), 1.0, UP).camera(40, 30)
    assert np.allclose(found.camera_to_world, start.camera_to_world, atol=1e-9)


def test_orbiting_turns_around_the_target_and_flying_around_the_eye() -> None:
    orbit = controls()
    before = np.array(orbit.goal.target)
    orbit.turn(100, 30)
    assert np.allclose(np.array(orbit.goal.target), before)
    assert np.linalg.norm(np.array(orbit.goal.eye)) == pytest.approx(4)
    fly = controls(FLY)
    eye = np.array(fly.goal.eye)
    fly.turn(100, 30)
    assert np.allclose(np.array(fly.goal.eye), eye)
    assert not np.allclose(np.array(fly.goal.target), before)


def test_a_trackball_tilts_the_horizon_and_an_orbit_levels_it() -> None:
    ball = controls(TRACKBALL)
    for _ in range(3):  # over the pole and down on the other side
        ball.turn(60, 300)
    assert np.linalg.norm(np.array(ball.goal.eye)) == pytest.approx(4)
    side = np.array(ball.goal.rotation * glm.dvec3(1, 0, 0))
    assert abs(side @ UP) > 0.05
    ball.mode = ORBIT
    forward = np.array(ball.goal.forward)
    ball.turn(0, 0)
    assert abs(np.array(ball.goal.rotation * glm.dvec3(1, 0, 0)) @ UP) < 1e-9
    assert np.allclose(np.array(ball.goal.forward), forward)
    ball.set_up(np.array([1.0, 0, 0]))
    assert abs(np.array(ball.goal.rotation * glm.dvec3(1, 0, 0))[0]) < 1e-9


@pytest.mark.parametrize("mode", MODES)
def test_what_is_shown_follows_smoothly_and_arrives(mode: str) -> None:
    c = controls(mode)
    c.turn(200, -80)
    c.dolly(3)
    c.move(1, 0, 1, 0.3)
    assert c.moving
    before, eyes = c.shown, [np.array(c.shown.eye)]
    for _ in range(200):
        c.update(1 / 60)
        eyes.append(np.array(c.shown.eye))
    assert not c.moving and c.shown is c.goal and before is not c.goal
    away = np.linalg.norm(np.array(eyes) - eyes[-1], axis=1)
    assert away[0] > 0.1 and away[1] < away[0] and (np.diff(away) <= 1e-9).all()
    steps = np.linalg.norm(np.diff(eyes, axis=0), axis=1)
    assert steps.max() < 0.35 * steps.sum()


def test_moving_goes_where_the_keys_say() -> None:
    c = controls()
    eye, forward = np.array(c.goal.eye), np.array(c.goal.forward)
    c.move(0, 0, 1, 0.5)
    assert np.allclose(np.array(c.goal.eye) - eye, 0.5 * forward)
    eye = np.array(c.goal.eye)
    c.move(0, 1, 0, 0.5, FAST)
    assert np.allclose(np.array(c.goal.eye) - eye, [0, 0, 2.0])
    c.dolly(2)
    assert c.goal.distance == pytest.approx(4 * 0.81)
    c.frame(np.array([1.0, 1.0, 1.0]))
    assert np.allclose(np.array(c.goal.target), 1) and c.goal.distance == pytest.approx(1 / math.sin(0.35))


def test_looking_past_the_pole_stops_short_of_it() -> None:
    c = controls()
    for dy in (-10000, 20000):
        c.turn(0, dy)
        c.arrive()
        assert np.isfinite(c.camera(10, 10).camera_to_world).all()
        assert 0.99 < abs(np.array(c.goal.forward) @ UP) < 1


def test_a_camera_that_looks_straight_down_can_be_turned() -> None:
    down = Camera.from_fov(look_at(np.array([0, 0, 3.0]), np.zeros(3), UP), 40, 30, 0.7)
    c = CameraControls.around(down, np.zeros(3), 1.0, UP)
    heading = np.array(c.goal.rotation * glm.dvec3(1, 0, 0))
    c.turn(0, -20)
    c.arrive()
    assert np.isfinite(c.camera(4, 4).camera_to_world).all()
    assert np.array(c.goal.rotation * glm.dvec3(1, 0, 0)) @ heading == pytest.approx(1)


def test_a_view_is_copied_and_pasted_as_text() -> None:
    c, other = controls(), controls()
    c.turn(130, 40)
    c.fov = 0.9
    c.arrive()
    other.paste(c.to_text(), np.zeros(3))
    other.arrive()
    assert np.allclose(other.camera(40, 30).camera_to_world, c.camera(40, 30).camera_to_world)
    assert other.fov == pytest.approx(0.9)
    before = other.goal
    for text in ("", "[1, 2", '{"camera_to_world": [1]}', "[" * 70000):
        with pytest.raises(DuplexError, match="clipboard"):
            other.paste(text, np.zeros(3))
    assert other.goal is before


def elevation(c: CameraControls) -> float:
    return math.asin(-np.array(c.goal.forward) @ UP)


def test_an_orbit_resists_beyond_its_limits() -> None:
    limits = (-0.1, 0.6)
    for dy, end, outward in ((-2, limits[0], -1), (2, limits[1], 1)):
        c, free = controls(), controls()
        steps = []
        for _ in range(300):
            before = elevation(c)
            c.turn(1, dy, limits)
            free.turn(1, dy)
            steps.append((before, elevation(c) - before))
        within = [step for before, step in steps if outward * (end - before) > 0.011]
        assert within and np.allclose(within, outward * 0.01)
        beyond = [outward * step for before, step in steps if outward * (before - end) > 0]
        assert all(a >= b >= 0 for a, b in pairwise(beyond)) and beyond[-1] < 1e-4
        assert 0 < outward * (elevation(c) - end) < math.radians(15)
        c.turn(0, -dy, limits)  # the way back is free
        assert elevation(c) == pytest.approx(steps[-1][0] + steps[-1][1] - outward * 0.01)
        assert elevation(free) != pytest.approx(elevation(c), abs=0.2)


def test_a_large_step_ends_where_many_small_ones_do() -> None:
    one, many = controls(), controls()
    one.turn(0, 400, (-0.1, 0.6))
    for _ in range(400):
        many.turn(0, 1, (-0.1, 0.6))
    assert elevation(one) == pytest.approx(elevation(many), abs=1e-3)


@pytest.mark.parametrize("mode", [FLY, TRACKBALL])
def test_only_an_orbit_has_limits(mode: str) -> None:
    held, free = controls(mode), controls(mode)
    held.turn(5, 300, (0.4, 0.5))
    free.turn(5, 300)
    assert np.allclose(np.array(held.goal.eye), np.array(free.goal.eye))


@pytest.mark.parametrize("up", [(0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (0.6, 0.0, 0.8)])
def test_the_six_sides_are_looked_from(up: tuple[float, float, float]) -> None:
    pose = np.eye(4)
    pose[:3, 3] = 0.5, 0.3, 4.0
    found = CameraControls.around(Camera.from_fov(pose, 100, 100, 0.7), np.zeros(3), 1.0, np.array(up))
    target, distance = np.array(found.goal.target), found.goal.distance
    seen = []
    for side in SIDES:
        found.look_from(side)
        found.arrive()
        camera = found.camera(100, 100)
        rotation = camera.camera_to_world[:3, :3]
        assert np.allclose(rotation @ rotation.T, np.eye(3)) and np.linalg.det(rotation) > 0.99
        assert np.allclose(camera.position - distance * rotation[:, 2], target)
        seen.append(rotation[:, 2])
        assert abs(rotation[:, 0] @ np.array(up)) < 1e-9, side
    assert np.allclose(np.abs(np.array(seen) @ np.array(seen).T), np.kron(np.eye(3), np.ones((2, 2))), atol=1e-9)
    assert np.allclose(seen[4], np.array(up) / np.linalg.norm(up))


def test_flights_have_a_speed() -> None:
    found = controls(FLY)
    start = np.array(found.goal.eye)
    found.speed = 4.0
    found.move(0, 1, 0, 0.5)
    assert np.allclose(np.array(found.goal.eye) - start, 2 * UP)
