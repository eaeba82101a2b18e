"""The outer and the inner shell."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest

from builders import synthetic
from builders.scenes.scenery import BALL, FAR_WALL, NDC, RADIUS, teacher_in
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.mesh import Mesh
from duplex.baking.config import BakeConfig
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.field import Teacher
from duplex.baking.fields.spaces import Contracted, Ndc, Space
from duplex.baking.geometry.atlas import AtlasConfig, unwrap
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.geometry.shells import ShellConfig, Viewpoints, extract_shells, in_world
from duplex.baking.rig import Rig


@pytest.mark.system
def test_shells_bracket_the_surface(shells: tuple[Mesh, Mesh]) -> None:
    outer, inner = (np.abs(shell.positions).sum(1) for shell in shells)
    assert outer.min() > synthetic.RADIUS - 0.03 and inner.max() < synthetic.RADIUS
    assert outer.mean() > inner.mean()
    assert len(shells[0].faces) <= 4000
    for shell in shells:
        a, b, c = (shell.positions[shell.faces[:, i]] for i in range(3))
        assert ((np.cross(b - a, c - a) * a).sum(1) > 0).mean() > 0.99  # fronts are outside


def test_what_no_camera_sees_is_removed(teacher: Teacher, grid: DensityGrid, ctx: moderngl.Context) -> None:
    above = [c for c in Rig.from_scene(teacher.scene).evenly(200, 200) if c.position[2] > 3.7]
    half, _ = extract_shells(grid, Viewpoints(above), ShellConfig(), ctx)
    everywhere, _ = extract_shells(
        grid, Viewpoints(Rig.from_scene(replace(teacher.scene, hemisphere=False)).evenly(30, 200)), ShellConfig(), ctx
    )
    assert half.positions[:, 2].min() > everywhere.positions[:, 2].min() + 0.3


@pytest.mark.system
def test_closed_where_nobody_looked(teacher: Teacher, grid: DensityGrid, ctx: moderngl.Context) -> None:
    rig = Rig.from_scene(teacher.scene)
    above = [c for c in rig.evenly(200, 200) if c.position[2] > 3.7]
    config = ShellConfig(faces=4000)
    open_ones = extract_shells(grid, Viewpoints(above), config, ctx)
    closed = extract_shells(grid, Viewpoints(above, rig.elsewhere(40, 200)), config, ctx)
    below = replace(rig, hemisphere=False).evenly(60, 80)[40:]
    for i, (half, whole) in enumerate(zip(open_ones, closed, strict=True)):
        assert whole.seen is not None and set(np.unique(whole.seen)) == {0, 1}
        main = whole.seen[whole.faces].all(1)
        assert np.array_equal(whole.positions[whole.seen == 1], half.positions)  # what the bake sees is as without
        assert main.sum() == len(half.faces) and 0 < (~main).sum() < len(half.faces)
        before, after = (
            np.concatenate([Rasterizer(ctx, *shells).layers(camera)[i].face >= 0 for camera in below])
            for shells in (open_ones, closed)
        )
        assert after.sum() > before.sum()
    unwrapped = unwrap(closed[0], AtlasConfig(128))
    density = np.sqrt(_areas(unwrapped.uvs, unwrapped.faces) / _areas(unwrapped.positions, unwrapped.faces))
    low = unwrapped.positions[unwrapped.faces][..., 2].max(1) < open_ones[0].positions[:, 2].min() - 0.1
    assert np.median(density[low]) < 0.5 * np.median(density[~low])


def _areas(points: Array, faces: Array) -> Array:
    a, b, c = (np.pad(points, ((0, 0), (0, 3 - points.shape[1])))[faces[:, i]] for i in range(3))
    return np.maximum(np.linalg.norm(np.cross(b - a, c - a), axis=1), 1e-12)


@pytest.mark.system
def test_a_floater_is_removed(grid: DensityGrid, teacher: Teacher, ctx: moderngl.Context) -> None:
    sigma = grid.sigma.copy()
    sigma[2, 2, 2] = 500
    cameras = Rig.from_scene(replace(teacher.scene, hemisphere=False)).evenly(30, 200)
    for share, reach in ((0.0, 3.0), (0.1, synthetic.RADIUS), (0.99, synthetic.RADIUS)):  # something always stays
        config = ShellConfig(floater=share)
        outer, _ = extract_shells(DensityGrid(sigma, grid.low, grid.step), Viewpoints(cameras), config, ctx)
        assert np.abs(outer.positions).sum(1).max() == pytest.approx(reach, abs=0.15)


def test_no_surface_between_the_levels_is_an_explained_error(grid: DensityGrid, ctx: moderngl.Context) -> None:
    faint = DensityGrid(grid.sigma * 1e-3, grid.low, grid.step)
    with pytest.raises(DuplexError, match="no surface"):
        extract_shells(faint, Viewpoints([]), ShellConfig(), ctx)


@pytest.mark.system
@pytest.mark.parametrize("space", [NDC, Contracted()], ids=["ndc", "contracted"])
def test_shells_come_back_to_the_world(space: Space, ctx: moderngl.Context) -> None:
    ball = BALL if isinstance(space, Ndc) else np.array([0.0, 0.1, 0.0])
    teacher = teacher_in(space, ball)
    grid = sample_density(teacher, None, DensityConfig(grid=112, scan=40))
    rig = Rig.from_scene(teacher.scene)
    if isinstance(space, Contracted):
        rig = replace(rig, radius=2.5)
    shells = extract_shells(grid, Viewpoints(rig.evenly(24, 100)), BakeConfig().shells, ctx, space)
    for shell in shells:
        points = space.unwarp(shell.positions)
        distance = np.linalg.norm(points - ball, axis=1)
        near = distance < 2 * RADIUS
        assert near.sum() > 100 and (~near).sum() > 100
        assert np.median(np.abs(distance[near] - RADIUS)) < 0.12  # a ball, not the egg that it is in the other space
        wall = np.linalg.norm(points[~near], axis=1)  # both spaces measure far depths in reciprocals
        assert np.median(np.abs(1 / wall - 1 / FAR_WALL)) < 1.5 * grid.step
    meshes = [in_world(shell, space) for shell in shells]
    seen, either = (Rasterizer(ctx, *meshes, double_sided=both) for both in (False, True))
    for camera in rig.evenly(3, 60):  # fronts are what cameras see
        for hits, any_side in zip(seen.layers(camera), either.layers(camera), strict=True):
            assert (hits.face == any_side.face).mean() > 0.98
