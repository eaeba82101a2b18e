"""How much of the weight lies between the shells."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest

from duplex.app.scene.mesh import Mesh
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.field import Teacher
from duplex.baking.geometry.bracketing import Bracketing, bracketing, weigh
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.geometry.shells import ShellConfig, Viewpoints, extract_shells
from duplex.baking.rig import Rig


@pytest.mark.system
def test_bracketing_sees_most_of_the_weight(teacher: Teacher, shells: tuple[Mesh, Mesh], ctx: moderngl.Context) -> None:
    cameras = Rig.from_scene(teacher.scene).cameras(4, 64, np.random.default_rng(5))
    outer, inner = shells

    def measured(first: Mesh, second: Mesh) -> Bracketing:
        return bracketing(weigh(teacher, cameras, 2000, 0), Rasterizer(ctx, first, second))

    def scaled(mesh: Mesh, factor: float) -> Mesh:
        return replace(mesh, positions=mesh.positions * factor)

    good = measured(outer, inner)
    assert 0.8 < good.share <= 1 and good.missed < 0.01
    deep, thin = scaled(inner, 0.6), scaled(outer, 0.995)
    assert measured(outer, deep).share >= good.share  # an inner shell far too deep leaves nothing behind it
    assert measured(outer, thin).share < 0.7  # one just below the outer shell leaves much behind it
    shrunk = scaled(outer, 0.7)  # an outer shell below the surface has it in front, and loses rays beside it
    assert measured(shrunk, deep).share < 0.3 and measured(shrunk, deep).missed > 0.2


@pytest.mark.system
@pytest.mark.parametrize("wanted", [0.3, 0.6])
def test_the_inner_level_brackets_what_is_asked_for(
    teacher: Teacher, grid: DensityGrid, ctx: moderngl.Context, wanted: float
) -> None:
    rig = Rig.from_scene(replace(teacher.scene, hemisphere=False))
    weighed = weigh(teacher, rig.cameras(4, 64, np.random.default_rng(5)), 2000, 0)
    found = extract_shells(
        grid,
        Viewpoints(rig.evenly(40, 200)),
        ShellConfig(faces=8000, bracketing=wanted),
        ctx,
        share_of=lambda rasterizer: bracketing(weighed, rasterizer).share,
    )
    others = weigh(teacher, rig.cameras(4, 64, np.random.default_rng(9)), 2000, 1)
    assert bracketing(others, Rasterizer(ctx, *found)).share == pytest.approx(wanted, abs=0.12)
