"""Smears: matter in the colour of the background around rims and thin parts, which training on it leaves.

No training view shows the difference between a white smear and the white behind it; any other background does. Blocks
of the density grid are suspected if the cameras that see them see them beside the silhouette, in pixels of the
background's colour. Of a suspected block, those samples are smears that emit this colour towards the cameras, and
unseen ones that lie nearer to a smear than to anything else seen. Rays through them, drawn with and without, confirm
them: on the background that the teacher was trained on, nothing may change. So what would show through a hole stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree

from duplex.app.core.arrays import Array
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import Teacher
from duplex.baking.geometry.probes import FAINT, TOLERANCE, ProbeView, in_picture

BLOCK = 4  # grid samples a side
BESIDE = 0.5  # share of the cameras which see a block that must see it beside the silhouette
PATCH = 16  # grid samples a side of what is confirmed together
CHANGED = 0.2  # share of the rays through the smears of a patch that may change on the background
ASKED = 6  # cameras towards which a sample's colour is asked
SLACK = 3  # samples that a point may lie behind the last visible one of a ray
UNDER = 5  # blocks around a smear in which hidden matter goes with it
RAYS = 3000  # by which smears are confirmed
POINTS_AT_ONCE = 1 << 15


def without_smears(teacher: Teacher, grid: DensityGrid, probes: list[ProbeView]) -> DensityGrid:
    """``grid`` without the smears that ``probes`` show; ``grid`` itself where there are none.

    The teacher's field must be in the space of the world.
    """
    if not any((probe.beside & (probe.opacity > FAINT)).any() for probe in probes):
        return grid
    cells = np.argwhere(grid.visible())
    blocks = Blocks.of(grid, cells, probes)
    smears = np.zeros(len(cells), bool)
    unseen: Array = ~np.asarray(blocks.seen.any(0))[blocks.home]
    chosen = np.flatnonzero(blocks.suspected[blocks.home])
    for start in range(0, len(chosen), POINTS_AT_ONCE):
        part = chosen[start : start + POINTS_AT_ONCE]
        smears[part], unseen[part] = _plain(teacher, grid, cells[part], blocks.seen[:, blocks.home[part]], probes)
    if not smears.any():
        return grid
    found = cells[smears | _under(cells, smears, unseen, blocks)]
    shown = _shown(teacher, grid, found, cells[smears], blocks.seen[:, blocks.home[smears]], probes)
    found = found[~shown[tuple((found // PATCH).T)]]
    return grid.cleared_at(found) if len(found) else grid


@dataclass(frozen=True)
class Blocks:
    """The ``b`` blocks with visible samples.

    ``index``: (b, 3) int64, in blocks; ``home``: (n,) int64, the block of each visible sample; ``seen``: (cameras, b)
    bool; ``suspected``: (b,) bool, seen beside the silhouette and not transparent.
    """

    index: Array
    home: Array
    seen: Array
    suspected: Array

    @classmethod
    def of(cls, grid: DensityGrid, cells: Array, probes: list[ProbeView]) -> Blocks:
        """The blocks of the visible samples ``cells`` (n, 3) of ``grid``."""
        shape = tuple(-(-side // BLOCK) for side in grid.sigma.shape)
        flat, home = np.unique(np.ravel_multi_index(tuple((cells // BLOCK).T), shape), return_inverse=True)
        index = np.stack(np.unravel_index(flat, shape), -1)
        centers = grid.low + grid.step * (BLOCK * index + 0.5 * (BLOCK - 1))
        seen = np.zeros((len(probes), len(index)), bool)
        beside, smeared = (np.zeros(len(index), np.int32) for _ in range(2))
        for sight, probe in zip(seen, probes, strict=True):
            pixel, distance, inside = in_picture(probe.camera, centers)
            sight[:] = inside & (distance < probe.reach[pixel] + (BLOCK + SLACK) * grid.step)
            beside += sight & _widened(probe.beside)[pixel]
            smeared += sight & _widened(probe.beside & (probe.opacity > FAINT))[pixel]
        return cls(index, home, seen, (smeared > 0) & (beside > BESIDE * seen.sum(0)))


def _plain(
    teacher: Teacher, grid: DensityGrid, cells: Array, near: Array, probes: list[ProbeView]
) -> tuple[Array, Array]:
    """Which samples (n, 3) emit the background's colour towards the cameras that see them; which no camera sees: (n,).

    ``near``: (cameras, n), which cameras see the block of a sample.
    """
    points = grid.low + grid.step * cells
    place = torch.from_numpy(points.astype(np.float32)).to(teacher.device)
    background = torch.tensor(teacher.scene.background, device=teacher.device)
    plain = np.ones(len(cells), bool)
    asked = np.zeros(len(cells), np.int32)
    with torch.no_grad():
        _, latent = teacher.fine.density(place)
        for sees, probe in zip(near, probes, strict=True):
            now = np.flatnonzero(sees & plain & (asked < ASKED))
            pixel, distance, inside = in_picture(probe.camera, points[now])
            now = now[inside & (distance < probe.reach[pixel] + SLACK * grid.step)]
            eye = torch.tensor(probe.camera.position, dtype=torch.float32, device=place.device)
            at = torch.from_numpy(now).to(place.device)
            color = teacher.fine.color(latent[at], torch.nn.functional.normalize(place[at] - eye, dim=-1))
            plain[now] = ((color - background).abs().amax(-1) < TOLERANCE).cpu().numpy()
            asked[now] += 1
    return plain & (asked > 0), asked == 0


def _under(cells: Array, smears: Array, unseen: Array, blocks: Blocks) -> Array:
    """Which ``unseen`` samples (n,) have a smear as their nearest seen sample, (n,) bool."""
    near = np.zeros(blocks.index.max(0) + 1, bool)
    near[tuple(blocks.index[blocks.home[smears]].T)] = True
    near = ndimage.binary_dilation(near, np.ones((3, 3, 3)), UNDER)[tuple(blocks.index.T)][blocks.home]
    under = near & unseen
    seen = near & ~unseen
    _, owner = cKDTree(cells[seen]).query(cells[under])
    under[under] = smears[seen][owner]
    return np.asarray(under)


def _shown(
    teacher: Teacher, grid: DensityGrid, cleared: Array, cells: Array, seen: Array, probes: list[ProbeView]
) -> Array:
    """Which patches of the grid look different on the background without the samples ``cleared`` (k, 3), bool.

    ``cells``: (n, 3), those of them that cameras see; ``seen``: (cameras, n), by which cameras.
    """
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(cells), size=RAYS)
    camera = (seen[:, chosen] * rng.random((len(probes), RAYS))).argmax(0)
    eyes = np.stack([probe.camera.position for probe in probes])[camera]
    rays = (eyes, grid.low + grid.step * cells[chosen] - eyes)
    origins, directions = (torch.from_numpy(x.astype(np.float32)).to(teacher.device) for x in rays)
    drawn = [
        FastRenderer(teacher, x, sub_steps=1).render_rays(origins, directions) for x in (grid, grid.cleared_at(cleared))
    ]
    background = torch.tensor(teacher.scene.background, device=teacher.device)
    first, second = (rgba[:, :3] + (1 - rgba[:, 3:]) * background for rgba in drawn)
    total, differing = (np.zeros(np.array(grid.sigma.shape) // PATCH + 1, np.int32) for _ in range(2))
    patch = tuple((cells[chosen] // PATCH).T)
    np.add.at(total, patch, 1)
    np.add.at(differing, patch, ((first - second).abs().amax(-1) > TOLERANCE).cpu().numpy())
    return np.asarray(differing > CHANGED * total)


def _widened(mask: Array) -> Array:
    return np.asarray(ndimage.binary_dilation(mask, np.ones((3, 3))))
