"""The dome behind a scene with surroundings."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest

from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.mesh import Mesh
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.spaces import Contracted
from duplex.baking.geometry.dome import beneath, cut_around, dome
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.geometry.shells import ShellConfig, Viewpoints, extract_shells, in_world

UP = np.array([0, 0, 1.0])


def _around(count: int) -> list[Camera]:
    eye = np.array([0, 0, 0.3])
    gazes = [np.array([np.cos(a), np.sin(a), s]) for a in np.linspace(0, 6, count) for s in (-0.6, 0.2, 1.5)]
    return [Camera.from_fov(look_at(eye, eye + gaze, UP), 80, 80, 1.2) for gaze in gazes]


@pytest.mark.parametrize("order", [2.0, float("inf")])
def test_every_ray_from_inside_meets_it(order: float, ctx: moderngl.Context) -> None:
    space = Contracted(order, center=(1.0, 0, 0), radius=2.0)
    shell = in_world(dome(space), space)
    away = np.linalg.norm((shell.positions - [1, 0, 0]) / 2, ord=order, axis=1)
    assert away == pytest.approx(np.full(len(away), space.far), rel=1e-3)
    rasterizer = Rasterizer(ctx, shell, shell)
    for outer, _ in rasterizer.each(_around(8)):
        assert (outer.face >= 0).all()


def test_what_lies_behind_it_goes() -> None:
    space = Contracted()
    positions = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1.99], [0, 0, 1.99], [1, 0, 1.995]], np.float32)
    shell = Mesh.without_uvs(positions, np.array([[0, 1, 2], [2, 3, 4]], np.int32))
    assert beneath(shell, space).tolist() == [True, False]


def test_shells_under_a_dome_leave_no_hole(ctx: moderngl.Context) -> None:
    axis = np.linspace(-1.2, 1.2, 40)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    ground = np.where((z < -0.3) & (x**2 + y**2 < 1), np.float32(60), np.float32(0))  # a disk under an open sky
    grid = DensityGrid(ground, np.full(3, -1.2), float(axis[1] - axis[0]))
    config, space = ShellConfig(faces=4000, inner_opacity=0.6), Contracted()
    holes = []
    for under_dome in (False, True):
        shells = extract_shells(grid, Viewpoints(_around(12), (), under_dome), config, ctx, space)
        rasterizer = Rasterizer(ctx, *(in_world(shell, space) for shell in shells))
        holes.append(np.mean([(outer.face < 0).mean() for outer, _ in rasterizer.each(_around(9))]))
    assert holes[0] > 0.3 and holes[1] < 1e-3


def test_what_was_nearly_seen_and_the_dome_stay() -> None:
    space = Contracted(radius=0.5)
    end = space.far * space.radius
    positions = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [0, 0, end], [end, 0, 0], [0, -end, 3]], np.float32)
    uvs = positions[:, :2] / end
    mesh = Mesh(positions, uvs, np.array([[0, 1, 2], [3, 4, 5]], np.int32))
    assert cut_around(mesh, space) is mesh
    near = cut_around(replace(mesh, seen=np.array([0, 0.1, 0, 1, 0.3, 0], np.float32)), space)
    assert near.seen is None and np.array_equal(near.positions, positions) and len(near.faces) == 2
    far = cut_around(replace(mesh, seen=np.array([0, 0.01, 0, 0, 0, 0], np.float32)), space)
    assert far.seen is None and np.array_equal(far.positions, positions[3:]) and far.faces.tolist() == [[0, 1, 2]]
    assert np.array_equal(far.uvs, uvs[3:])
