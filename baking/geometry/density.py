"""The teacher's density on a regular grid around the occupied part of space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.fields.density_grid import VISIBLE_OPACITY, DensityGrid
from duplex.baking.fields.field import SceneInfo, Teacher
from duplex.baking.fields.rendering import query_density
from duplex.baking.fields.spaces import Contracted
from duplex.baking.runtime.progress import track
from duplex.baking.settings import setting

POINTS_AT_ONCE = 1 << 18
FLOATER_SHARE = 2e-3


@dataclass(frozen=True)
class DensityConfig:
    """How the density is sampled."""

    grid: int = setting(288, "samples along the longest side of the density grid", low=16, high=1024)
    scan: int = setting(80, "samples a side of the coarse scan that finds where the scene is", low=16, high=256)


Selection = Callable[[DensityGrid, Array], Array]


def sample_density(
    teacher: Teacher, bounds: Array | None, config: DensityConfig, select: Selection | None = None
) -> DensityGrid:
    """Sample the teacher's fine density on a grid around what it shows.

    ``bounds``: (2, 3) box of field space to look in; by default the scene's own, or the cube that rays between near
    and far can fill from cameras around the origin. ``select``: given the scan and its visible cells (bool), returns
    those to keep. Raises :class:`DuplexError` when nothing there is dense enough to be seen.
    """
    if bounds is None:
        bounds = search_box(teacher.scene)
    scan = _scan(teacher, bounds, config.scan)
    solid = ndimage.grey_dilation(scan.opacity(), size=3) > VISIBLE_OPACITY
    size = " x ".join(f"{x:.3g}" for x in bounds[1] - bounds[0])
    where = f"in the {size} box around {np.round(bounds.mean(0), 3).tolist()}"
    if not solid.any():
        raise DuplexError(
            f"{teacher.path}: no surface: its density stays invisible everywhere {where}: give the scene's box with "
            "--bounds, or bake a later checkpoint"
        )
    if select is not None:
        solid = select(scan, solid)
    solid = _without_floaters(solid)
    if not solid.any():
        raise DuplexError(
            f"{teacher.path}: no surface: what is dense {where} is out of the cameras' sight or looks like the "
            "background: check --background, or give the dataset's cameras with --data"
        )
    filled = np.argwhere(solid)
    low = scan.low + scan.step * np.maximum(filled.min(0) - 1, 0)
    high = scan.low + scan.step * np.minimum(filled.max(0) + 1, np.array(solid.shape) - 1)
    step = float((high - low).max() / (config.grid - 1))
    shape = tuple(int(n) for n in np.ceil((high - low) / step) + 1)
    grid = DensityGrid(np.zeros(shape, np.float32), low, step)
    near = [
        np.clip(np.round((axis - scan.low[i]) / scan.step).astype(int), 0, solid.shape[i] - 1)
        for i, axis in enumerate(grid.axes())
    ]
    occupied = ndimage.binary_dilation(solid)[np.ix_(*near)]
    _fill(teacher, grid, occupied, "density")
    return grid


def search_box(scene: SceneInfo) -> Array:
    """The box to scan, (2, 3) in field space: the scene's bounds, or what rays between near and far can reach."""
    if scene.bounds is not None:
        return np.array(scene.bounds, np.float64)
    half = 2.0 if isinstance(scene.space, Contracted) else 0.5 * (scene.far - scene.near)
    return np.array([[-half] * 3, [half] * 3])


def _scan(teacher: Teacher, bounds: Array, count: int) -> DensityGrid:
    """A coarse grid with the larger of two density samples in each cell, so that thin parts are not missed."""
    step = float((bounds[1] - bounds[0]).max() / (count - 1))
    shape = tuple(int(n) for n in np.ceil((bounds[1] - bounds[0]) / step) + 1)
    grid = DensityGrid(np.zeros(shape, np.float32), bounds[0].astype(np.float64), step)
    _fill(teacher, grid, np.ones(shape, bool), "scan")
    shifted = DensityGrid(np.zeros(shape, np.float32), grid.low + 0.5 * step, step)
    _fill(teacher, shifted, np.ones(shape, bool), "scan")
    return DensityGrid(np.maximum(grid.sigma, shifted.sigma), grid.low, step)


def _fill(teacher: Teacher, grid: DensityGrid, where: Array, label: str) -> None:
    indices = np.flatnonzero(where)
    flat = grid.sigma.reshape(-1)
    axes = grid.axes()
    with torch.no_grad(), track(label, len(indices)) as progress:
        for start in range(0, len(indices), POINTS_AT_ONCE):
            part = indices[start : start + POINTS_AT_ONCE]
            xyz = np.stack([axes[k][i] for k, i in enumerate(np.unravel_index(part, grid.sigma.shape))], -1)
            points = torch.from_numpy(xyz.astype(np.float32)).to(teacher.device)
            flat[part] = (query_density(teacher.fine, points) * teacher.scene.space.stretch(points)).cpu().numpy()
            progress.advance(len(part))


def _without_floaters(solid: Array) -> Array:
    """``solid`` without connected parts that are much smaller than the largest one."""
    labels, count = ndimage.label(solid, structure=np.ones((3, 3, 3)))
    if count < 2:
        return solid
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0
    keep = sizes >= max(FLOATER_SHARE * sizes.max(), 8)
    return np.asarray(keep[labels])
