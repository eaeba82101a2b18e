"""The density of the object alone: without backdrop and without smears."""

from __future__ import annotations

from collections.abc import Sequence

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.photos import Photo
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.field import Teacher
from duplex.baking.fields.spaces import World
from duplex.baking.geometry.carving import carve
from duplex.baking.geometry.crop import CropRegion
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.geometry.photo_hull import alphas_of, without_transparent
from duplex.baking.geometry.probes import ProbeView, probes_of
from duplex.baking.geometry.smears import without_smears


def object_density(
    teacher: Teacher,
    config: DensityConfig,
    cameras: list[Camera],
    photos: Sequence[Photo] = (),
    crop: CropRegion | None = None,
) -> DensityGrid:
    """The teacher's density grid without what only draws the background, as pictures of ``cameras`` show it.

    Where ``photos`` have alpha, they decide in the place of colours which fine details belong to the object. Outside
    ``crop`` nothing is looked for.
    """
    probes: list[ProbeView] = []

    def select(scan: DensityGrid, solid: Array) -> Array:
        probes.extend(probes_of(teacher, scan, cameras))
        carved = carve(scan, solid, probes)
        return carved if crop is None else crop.of_scan(scan, carved, teacher.scene.space)

    grid = sample_density(teacher, None, config, select)
    if not isinstance(teacher.scene.space, World):
        return grid
    alphas = alphas_of(photos)
    return without_transparent(grid, alphas) if alphas else without_smears(teacher, grid, probes)
