"""Distillation views: for each camera, the picture of the teacher or a photo, and the hits on the shells.

They are stored in memory-mapped files of the workspace, so that their number does not increase the memory of a bake: 18
bytes for each pixel, of which a training step reads a few crops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.files import write_atomically
from duplex.app.core.images import over
from duplex.app.render.passes.gbuffer import LEVEL_STEPS, LOWEST_LEVEL, UV_STEPS
from duplex.app.scene.camera import Camera
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.network import NetworkSpec
from duplex.baking.datasets.photos import Photo
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.geometry.gbuffers import LayerHits, Rasterizer
from duplex.baking.runtime.progress import track
from duplex.baking.runtime.threads import Map, one_view_a_thread
from duplex.baking.runtime.workspace import is_stored
from duplex.baking.settings import setting

MOST_STEPS = -LOWEST_LEVEL * LEVEL_STEPS - 1  # of a level of detail, as in the viewer
PHOTO_SCALES, MIN_PHOTO_SIDE = 3, 100
SAMPLES = 288  # of the teacher along the density grid's longest side, unless the user says otherwise
SAMPLES_PER_CELL = 1.15  # and in each cell of a teacher's own grid, which fewer would blur
SHARD = 80  # views in one file, at most
SHARD_BYTES = 1 << 26  # of one file, at most, unless a single view is larger
NOWHERE = 0xFFFF  # stored as texture coordinate where the layer is not hit
UNKNOWN = (255, 255, 255, 0)  # marks pixels to ignore: impossible as a premultiplied colour
VIEW_BYTES = 18  # for each pixel: colour and alpha, two texture coordinates with their levels of detail, its scale
REACHES = (1, 5, 10)  # pixels that the neighbours of a picture's border reach beyond it on levels of the pyramid
PYRAMID_MARGIN = REACHES[-1]  # of all hits; on higher levels the edge is repeated


@dataclass(frozen=True)
class ViewConfig:
    """How many views are distilled."""

    views: int = setting(900, "pictures of the teacher to learn from", low=2, high=100_000)
    view_size: int = setting(200, "side of each whole picture in pixels", low=32, high=2048)
    window: float = setting(0.5, "share of that side which is rendered, somewhere in the picture")
    near_share: float = setting(0.4, "share of the views taken from closer by", low=0, high=1)
    larger_share: float = setting(
        0.25, "windows of pictures two and four times as large, added to the views as a share of them", low=0, high=4
    )
    sub_steps: int = setting(
        0,
        "samples of the teacher's network in each cell of the density grid that a ray crosses; 0: as many as give 288 "
        "samples along the grid, more where the teacher's own grid is finer",
        low=0,
        high=16,
    )

    def samples_in_cell(self, grid: DensityGrid, cell: float | None) -> int:
        """Samples in each cell of ``grid`` of a teacher whose own grid has cells of side ``cell``, if it has one."""
        usual = math.ceil(SAMPLES / max(grid.sigma.shape))
        return self.sub_steps or max(usual, math.ceil(SAMPLES_PER_CELL * grid.step / cell) if cell else 0)

    @property
    def larger(self) -> int:
        """Number of windows of larger pictures."""
        return round(self.larger_share * self.views)

    @property
    def window_size(self) -> int:
        """Side of what is rendered of each view, pixels."""
        return max(round(self.window * self.view_size), 1)


@dataclass(frozen=True)
class ViewSet:
    """Views of any sizes: pictures and shell hits.

    ``pictures``: each (h, w, 4) uint8, colour premultiplied by alpha, or :data:`UNKNOWN`; ``hits``: each
    (h + 2 m, w + 2 m, 6 or 7) uint16, the texture coordinates of the outer and of the inner hit in steps of 1 / 65534,
    65535 where there is none, both levels of detail in steps of 1 / 64 from -16 on, and for a network with a
    reference view the scale r of the pixel, stored as 65535 r / (1 + r); ``margin``: the m pixels by which these reach
    beyond the picture; ``opacity``: whether each view's alpha is known.
    """

    cameras: list[Camera]
    pictures: list[Array]
    hits: list[Array]
    margin: int
    opacity: list[bool]


def render_teacher(
    renderer: FastRenderer, cameras: list[Camera], stem: Path, background: tuple[float, float, float] | None = None
) -> list[Array]:
    """The teacher's pictures, stored in files that begin with ``stem``; existing files are not rendered again.

    They are opaque if there is a ``background``.
    """

    def drawn(index: int) -> Array:
        rgba = renderer.render(cameras[index]).cpu().numpy()
        if background is not None:
            rgba = np.concatenate([over(rgba, background), np.ones_like(rgba[..., 3:])], -1)
        return np.asarray(to_bytes(rgba))

    shapes = [(camera.height, camera.width, 4) for camera in cameras]
    with one_view_a_thread(renderer.teacher.device) as each:
        return _kept(stem, shapes, np.uint8, drawn, "teacher views", each)


def at_scales(photos: Sequence[Photo], crop: int, largest: int) -> list[tuple[Photo, int]]:
    """Photos with the heights to read them at: halves of their own, as long as a ``crop`` fits.

    The shorter side is at most ``largest`` pixels: what is finer than the textures distracts from the rest. The viewer
    shows a surface from near and from far, but photos of one distance show it at one scale only.
    """
    found = []
    for photo in photos:
        shorter = min(photo.camera.width, photo.camera.height)
        first = max(math.ceil(math.log2(shorter / largest)), 0)
        for i in range(first, first + PHOTO_SCALES):
            if shorter >> i >= (crop if i == 0 else max(crop, MIN_PHOTO_SIDE)):
                found.append((photo, photo.camera.height >> i))
    return found


def read_pictures(photos: Sequence[tuple[Photo, int]], stem: Path) -> tuple[list[Camera], list[Array], list[bool]]:
    """Cameras and pictures of photos at the heights beside them, and whether each one's alpha is known.

    Pictures are stored in files that begin with ``stem``.
    """
    cameras = [photo.camera_at(height) for photo, height in photos]

    def read(index: int) -> Array:
        photo, height = photos[index]
        rgba, valid = photo.rgba_or_unknown(height)
        return np.asarray(np.where(valid[..., None], to_bytes(rgba), np.array(UNKNOWN, np.uint8)))

    shapes = [(camera.height, camera.width, 4) for camera in cameras]
    pictures = _kept(stem, shapes, np.uint8, read, "photos")
    return cameras, pictures, [bool(((p[..., 3] < 255) & (p != UNKNOWN).any(-1)).any()) for p in pictures]


def margin_of(spec: NetworkSpec) -> int:
    """The pixels by which hits reach beyond a picture for the network ``spec``."""
    return PYRAMID_MARGIN if spec.scaled else spec.margin


def make_view_set(
    cameras: list[Camera], pictures: list[Array], rasterizer: Rasterizer, spec: NetworkSpec, stem: Path
) -> ViewSet:
    """Pictures with the shell hits of the same cameras; the hits are stored in files that begin with ``stem``.

    ``spec``: the network that is to learn from them.
    """
    margin = margin_of(spec)
    channels = 7 if spec.scaled else 6

    def hits(index: int) -> Array:
        camera = cameras[index].padded(margin)
        layers = rasterizer.layers(camera)
        uv = [np.where(x.face[..., None] >= 0, np.rint(x.uv.clip(0, 1) * UV_STEPS), NOWHERE) for x in layers]
        levels = [np.rint((x.level[..., None] - LOWEST_LEVEL) * LEVEL_STEPS).clip(0, MOST_STEPS) for x in layers]
        scales = [_stored_scale(layers[0], camera, spec.reference)[..., None]] if spec.reference else []
        return np.concatenate([*uv, *levels, *scales], -1).astype(np.uint16)

    shapes = [(camera.height + 2 * margin, camera.width + 2 * margin, channels) for camera in cameras]
    kept = _kept(stem, shapes, np.uint16, hits, "shell hits")
    return ViewSet(cameras, pictures, kept, margin, [True] * len(cameras))


def _stored_scale(layer: LayerHits, camera: Camera, reference: ReferenceView) -> Array:
    """The scale ``r`` of each pixel, stored as ``65535 r / (1 + r)``; 0 where the layer is empty."""
    rays = camera.ray_directions()
    length = np.linalg.norm(rays, axis=-1)
    depth = np.where(layer.face >= 0, layer.distance, np.inf) / length
    points = camera.position + rays * np.where(layer.face >= 0, depth, 0)[..., None]
    scale = reference.distances(points) / reference.focal * math.sqrt(camera.fx * camera.fy) / np.maximum(depth, 1e-9)
    return np.asarray(np.rint(65535 * scale / (1 + scale)))


def to_bytes(picture: Array) -> Array:
    """A picture in [0, 1] in steps of 1 / 255, uint8."""
    return np.asarray(np.rint(picture.clip(0, 1) * 255).astype(np.uint8))


def _kept(
    stem: Path,
    shapes: list[tuple[int, int, int]],
    dtype: type,
    draw: Callable[[int], Array],
    label: str,
    each: Map = map,
) -> list[Array]:
    """Arrays of ``shapes`` from the files that begin with ``stem``; missing files are drawn through ``each``."""
    arrays: list[Array] = []
    item = np.dtype(dtype).itemsize
    with track(label, len(shapes)) as progress:
        for part in _shards([item * math.prod(shape) for shape in shapes]):
            file = stem.with_name(f"{stem.name}-{part.start:05d}.raw")
            if not is_stored(file, sum(item * math.prod(shapes[i]) for i in part)):
                write_atomically(file, b"".join(picture.tobytes() for picture in each(draw, part)))
            flat = np.memmap(file, dtype, "r")
            begins = np.cumsum([0, *(math.prod(shapes[i]) for i in part)])
            arrays += [flat[a:b].reshape(shapes[i]) for i, a, b in zip(part, begins[:-1], begins[1:], strict=True)]
            progress.advance(len(part))
    return arrays


def _shards(sizes: list[int]) -> list[range]:
    """Ranges of consecutive views that share a file, from their sizes in bytes."""
    shards = []
    start = 0
    total = 0
    for i, size in enumerate(sizes):
        if i > start and (i - start == SHARD or total + size > SHARD_BYTES):
            shards.append(range(start, i))
            start = i
            total = 0
        total += size
    return [*shards, range(start, len(sizes))] if sizes else []
