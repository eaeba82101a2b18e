"""The octahedron as teacher, density grid and shells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import moderngl
import pytest

from duplex.app.scene.mesh import Mesh
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.field import Teacher
from duplex.baking.geometry.atlas import AtlasConfig, unwrap
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.geometry.shells import ShellConfig, Viewpoints, extract_shells
from duplex.baking.rig import Rig


@pytest.fixture(scope="module")
def teacher(octahedron: Path) -> Teacher:
    return load_teacher(octahedron)


@pytest.fixture(scope="module")
def grid(teacher: Teacher) -> DensityGrid:
    return sample_density(teacher, None, DensityConfig(grid=80, scan=40))


@pytest.fixture(scope="module")
def shells(teacher: Teacher, grid: DensityGrid, ctx: moderngl.Context) -> tuple[Mesh, Mesh]:
    cameras = Rig.from_scene(replace(teacher.scene, hemisphere=False)).evenly(40, 200)
    outer, inner = extract_shells(grid, Viewpoints(cameras), ShellConfig(faces=4000, inner_opacity=0.6), ctx)
    return unwrap(outer, AtlasConfig(texels=256)), unwrap(inner, AtlasConfig(texels=256))
