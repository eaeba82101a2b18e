"""The duplex mesh: an outer and an inner shell that bracket the uncertain surface (Wan et al., CVPR 2023, 3.1).

The two level sets are chosen by opacity, not by density, which has no scale of its own. With the opacity over
one grid cell, ``alpha = 1 - exp(-sigma step)``:

* the outer shell lies where a cell becomes visible: ``alpha = outer_opacity``, a few percent;
* the inner shell lies where a cell absorbs much light: ``alpha = inner_opacity``. The level is chosen for each scene
  so that a given share of the volume-rendering weight lies between the shells
  (:mod:`duplex.baking.geometry.bracketing`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import fast_simplification
import moderngl
import numpy as np
from scipy import ndimage, sparse
from skimage.measure import marching_cubes

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.app.scene.mesh import MAX_FACES, Mesh
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.spaces import Contracted, Space, World
from duplex.baking.geometry.bracketing import LEVELS, inner_level
from duplex.baking.geometry.dome import beneath, dome, on_dome
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.runtime.progress import say
from duplex.baking.settings import setting

USUAL_INNER = 0.35
MARGIN = 2  # rings of faces around what the cameras see
GAPS = 4  # rings of faces: small ones lie between the pixels of a picture
SIMPLIFICATIONS = 4
OVERLAP = 1  # rings of faces by which what closes a shell reaches under it
CLOSING = 0.15  # times the faces of a shell: what closes it may have
LEAST_FACES = 200  # before simplification: smaller openings stay open


@dataclass(frozen=True)
class ShellConfig:
    """How the two shells are extracted."""

    outer_opacity: float = setting(0.03, "opacity over one grid cell at the outer shell", low=0, high=0.6, is_open=True)
    inner_opacity: float = setting(0.0, "opacity over one grid cell at the inner shell; 0: as --bracketing wants it")
    bracketing: float = setting(
        0.3, "share of the teacher's weight that is to lie between the shells", low=0, high=1, is_open=True
    )
    faces: int = setting(20000, "triangles of each shell after simplification", low=100, high=MAX_FACES)
    floater: float = setting(0.03, "parts of a shell smaller than this share of its size are dropped", low=0, high=1)


ShareOf = Callable[[Rasterizer], float]


class Viewpoints(NamedTuple):
    """Cameras whose views decide what remains: the bake's ``own``, and those of a spectator ``elsewhere``.

    ``under_dome``: whether the scene goes on behind all that they see, so that a dome ends it.
    """

    own: list[Camera]
    elsewhere: Sequence[Camera] = ()
    under_dome: bool = False


def extract_shells(
    grid: DensityGrid,
    cameras: Viewpoints,
    config: ShellConfig,
    ctx: moderngl.Context,
    space: Space | None = None,
    share_of: ShareOf | None = None,
) -> tuple[Mesh, Mesh]:
    """Outer and inner shell of ``grid``: level sets without floaters and invisible faces, simplified.

    The shells are in the space of the grid; ``space`` maps it to the world of the cameras. In an unbounded scene,
    triangles and texels are thus distributed by field space. ``share_of``: measures the bracketing of two
    shells; without it, the inner level defaults to a fixed opacity. What is seen from elsewhere alone closes the shells
    with a few more, coarse faces; ``seen`` of their vertices is 0.
    """
    opacity = ndimage.gaussian_filter(grid.opacity(), 0.5)

    def shell_at(level: float) -> Mesh:
        shell = _level_set(opacity, level, grid, config.floater)
        return _with_dome(shell, space) if cameras.under_dome and isinstance(space, Contracted) else shell

    outer = shell_at(config.outer_opacity)

    def share_at(level: float) -> float:
        shells = (outer, shell_at(level))
        assert share_of is not None
        return share_of(Rasterizer(ctx, *(in_world(shell, space or World()) for shell in shells)))

    level = config.inner_opacity or USUAL_INNER
    if share_of and not config.inner_opacity:
        high = min(LEVELS[1], 0.98 * float(opacity.max()))
        bounds = (min(max(LEVELS[0], 1.5 * config.outer_opacity), 0.5 * (config.outer_opacity + high)), high)
        level = inner_level(share_at, config.bracketing, bounds)
        say(f"inner shell: where a cell is {100 * level:.0f}% opaque")
    shells = (outer, shell_at(level))
    rasterizer = Rasterizer(ctx, *(in_world(shell, space or World()) for shell in shells))
    visible = _visible(rasterizer, cameras.own)
    if not all(mask.any() for mask in visible):
        raise DuplexError("no surface: no camera sees the scene: give its box with --bounds, or its photos with --data")
    if cameras.under_dome and isinstance(space, Contracted):
        visible = [m | on_dome(s.positions, space)[s.faces].all(1) for m, s in zip(visible, shells, strict=True)]
    others = _visible(rasterizer, cameras.elsewhere)
    parts = zip(shells, visible, others, strict=True)
    first, second = (_closed(shell, mask, other & ~mask, config.faces) for shell, mask, other in parts)
    return first, second


def in_world(shell: Mesh, space: Space) -> Mesh:
    """The shell in the world: positions float64, faces reversed where the space mirrors."""
    faces = shell.faces[:, ::-1] if space.mirrored else shell.faces
    return Mesh(space.unwarp(shell.positions), shell.uvs, faces)


def _with_dome(shell: Mesh, space: Contracted) -> Mesh:
    """The shell with the dome of its ``space``, and without what lies behind it."""
    return _joined(_subset(shell, beneath(shell, space)), dome(space))


def _joined(first: Mesh, second: Mesh) -> Mesh:
    """Both meshes as one."""
    triangles = np.concatenate([first.faces, second.faces + len(first.positions)]).astype(np.int32)
    return Mesh.without_uvs(np.concatenate([first.positions, second.positions]), triangles)


def _level_set(opacity: Array, level: float, grid: DensityGrid, floater: float) -> Mesh:
    if not opacity.max() > level:
        raise DuplexError(
            f"no surface: no cell of the density grid is more than {opacity.max():.3f} opaque, the shell lies at "
            f"{level:g}: give --inner-opacity a smaller value, or bake a later checkpoint"
        )
    vertices, faces, _, _ = marching_cubes(np.pad(opacity, 1), level, gradient_direction="ascent")  # fronts outside
    positions = (grid.low + grid.step * (vertices - 1)).astype(np.float32)
    return _without_floaters(Mesh.without_uvs(positions, faces.astype(np.int32)), floater)


def _without_floaters(shell: Mesh, share: float) -> Mesh:
    """The shell without connected parts whose bounding box is less than ``share`` of the whole one's diagonal.

    The largest part stays in any case.
    """
    part = _components(shell)
    low = np.full((part.max() + 1, 3), np.inf)
    high = -low
    np.minimum.at(low, part, shell.positions)
    np.maximum.at(high, part, shell.positions)
    size = np.linalg.norm(high - low, axis=1)
    whole = float(np.linalg.norm(shell.positions.max(0) - shell.positions.min(0)))
    keep = size >= min(share * whole, size.max())
    return _subset(shell, keep[part[shell.faces[:, 0]]])


def _components(shell: Mesh) -> Array:
    """The number of each vertex' connected part, (v,)."""
    f = shell.faces
    rows, columns = f[:, [0, 1]].reshape(-1), f[:, [1, 2]].reshape(-1)
    count = len(shell.positions)
    graph = sparse.coo_matrix((np.ones(len(rows), bool), (rows, columns)), (count, count))
    return np.asarray(sparse.csgraph.connected_components(graph, directed=False)[1])


def _subset(shell: Mesh, keep: Array) -> Mesh:
    """The shell with only those faces where ``keep`` (f,) holds, and the vertices they need."""
    used, faces = np.unique(shell.faces[keep], return_inverse=True)
    return Mesh.without_uvs(shell.positions[used], faces.reshape(-1, 3).astype(np.int32))


def _visible(rasterizer: Rasterizer, cameras: Sequence[Camera]) -> list[Array]:
    """Which faces of the outer, and of the inner shell behind it, some camera sees: (f,) bool each."""
    seen = [np.zeros(faces + 1, bool) for faces in rasterizer.faces]  # the last entry collects misses (-1)
    for layers in rasterizer.each(cameras):
        for mask, layer in zip(seen, layers, strict=True):
            mask[layer.face.reshape(-1)] = True
    return [mask[:-1] for mask in seen]


def _closed(shell: Mesh, seen: Array, unseen: Array, faces: int) -> Mesh:
    """The part ``seen`` (f,) of the shell in at most ``faces`` faces, and some more for the part ``unseen`` (f,)."""
    kept = _grown(shell, seen, MARGIN)
    main = _simplified(_subset(shell, kept), faces)
    rest = _grown(shell, unseen & ~kept, GAPS) & ~kept
    opening = _large_parts(_subset(shell, _grown(shell, rest, OVERLAP)))
    if not len(opening.faces):
        return main
    cover = opening
    for _ in range(SIMPLIFICATIONS):  # one stops early on flat parts
        cover = _simplified(cover, max(round(CLOSING * faces), 100))
    value = np.repeat(np.array([1, 0], np.float32), [len(main.positions), len(cover.positions)])
    return replace(_joined(main, cover), seen=value)


def _grown(shell: Mesh, faces: Array, rings: int) -> Array:
    """``faces`` (f,) bool and as many rings of neighbours."""
    for _ in range(rings):
        near = np.zeros(len(shell.positions), bool)
        near[shell.faces[faces]] = True
        faces = np.asarray(near[shell.faces].any(1))
    return faces


def _large_parts(shell: Mesh) -> Mesh:
    """The shell without connected parts of fewer than :data:`LEAST_FACES` faces."""
    if not len(shell.faces):
        return shell
    part = _components(shell)[shell.faces[:, 0]]
    return _subset(shell, np.bincount(part)[part] >= LEAST_FACES)


def _simplified(shell: Mesh, faces: int) -> Mesh:
    if len(shell.faces) <= faces:
        return shell
    positions, triangles = fast_simplification.simplify(shell.positions, shell.faces, target_count=faces, agg=5.0)
    a, b, c = (positions[triangles[:, i]] for i in range(3))
    sound = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-12
    return _subset(Mesh.without_uvs(positions.astype(np.float32), triangles.astype(np.int32)), sound)


def shells_to_arrays(shells: tuple[Mesh, Mesh]) -> dict[str, Array]:
    """Both shells by the names of their parts."""
    return {
        f"{i}.{key}": value
        for i, shell in enumerate(shells)
        for key, value in (("positions", shell.positions), ("faces", shell.faces), ("uvs", shell.uvs))
    }


def shells_from_arrays(arrays: dict[str, Array]) -> tuple[Mesh, Mesh]:
    """The shells of :func:`shells_to_arrays`; raises ValueError for other arrays."""
    first, second = (Mesh(arrays[f"{i}.positions"], arrays[f"{i}.uvs"], arrays[f"{i}.faces"]) for i in range(2))
    for shell in (first, second):
        count = len(shell.positions)
        shapes = (shell.positions.shape, shell.uvs.shape, shell.faces.shape[1:])
        numbers = np.isfinite(shell.positions).all() and np.isfinite(shell.uvs).all()
        indices = shell.faces.dtype.kind in "iu" and shell.faces.size > 0
        if shapes != ((count, 3), (count, 2), (3,)) or not numbers or not indices:
            raise ValueError("not a mesh")
        if not 0 <= int(shell.faces.min()) <= int(shell.faces.max()) < count:
            raise ValueError("not the indices of vertices")
    return first, second
