"""The views of a bake: where its cameras stand, and what the teacher and the photos show there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from duplex.app.scene.camera import Camera
from duplex.app.scene.network import NetworkSpec
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.views import ViewConfig, ViewSet, make_view_set, read_pictures, render_teacher
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.job import HELD_OUT_VIEWS, BakeJob, network_of, scaled_photos
from duplex.baking.rig import Rig

# Each purpose draws its cameras from its own random stream, so that no two purposes share a camera.
VIEW_STREAM = 1
BRACKETING_STREAM = 2
EVALUATION_STREAM = 3
HELD_OUT_STREAM = 4
LEVEL_STREAM = 5
LARGER_STREAM = 6
TRIAL_STREAM = 7
TRIAL_VIEWS = 16  # at most, and one for
PER_TRIAL = 50  # views
LARGER = (2, 4)  # times the side of the other pictures
MAX_TRIES = 8  # windows that are looked at for each that is taken
PROBE_SIZE = 24  # pixels a side, at which a window is looked at
LEAST_SHOWN = 0.1  # share of the window


def cameras_of(job: BakeJob, stream: int, count: int, size: int, near_share: float = 0.0) -> list[Camera]:
    """``count`` square cameras of ``size`` pixels from the rig; the same ``stream`` gives the same cameras."""
    return job.rig.cameras(count, size, np.random.default_rng([job.seed, stream]), near_share)


def renderer_of(job: BakeJob, grid: DensityGrid) -> FastRenderer:
    """The renderer of the teacher's views."""
    return FastRenderer(job.teacher, grid, job.config.views.samples_in_cell(grid, job.teacher.fine.cell()))


def held_out_views(job: BakeJob, renderer: FastRenderer, rasterizer: Rasterizer, folder: Path) -> ViewSet:
    """The teacher's views that measure quality during training."""
    cameras = cameras_of(job, HELD_OUT_STREAM, HELD_OUT_VIEWS, job.config.views.view_size)
    return _rendered(job, renderer, cameras, rasterizer, folder / "held-out")


def teacher_views(job: BakeJob, renderer: FastRenderer, rasterizer: Rasterizer, folder: Path) -> ViewSet:
    """The teacher's views for training."""
    cameras = training_cameras(job.rig, job.config.views, job.seed, rasterizer)
    return _rendered(job, renderer, cameras, rasterizer, folder / "views")


def training_cameras(rig: Rig, config: ViewConfig, seed: int, rasterizer: Rasterizer) -> list[Camera]:
    """The cameras of the views for training: windows of pictures, and of larger ones."""
    rng = np.random.default_rng([seed, VIEW_STREAM])
    windows = rig.windows(config.views, config.view_size, config.window_size, rng, config.near_share)
    return [*windows, *_larger_windows(rig, config, seed, rasterizer)]


def _rendered(
    job: BakeJob, renderer: FastRenderer, cameras: list[Camera], rasterizer: Rasterizer, stem: Path
) -> ViewSet:
    background = job.teacher.scene.background if job.dome else None
    pictures = render_teacher(renderer, cameras, stem, background)
    return make_view_set(cameras, pictures, rasterizer, network_of(job), stem.with_name(f"{stem.name}-hits"))


def _larger_windows(rig: Rig, config: ViewConfig, seed: int, rasterizer: Rasterizer) -> list[Camera]:
    """Windows of larger pictures which show the scene, for what only a large picture resolves.

    They are added to the other views: in their place the network would learn too little of the whole.
    """
    rng = np.random.default_rng([seed, LARGER_STREAM])
    chosen: list[Camera] = []
    for i, factor in enumerate(LARGER):
        wanted = config.larger * (i + 1) // len(LARGER)
        for _ in range(MAX_TRIES * config.larger):
            if len(chosen) >= wanted:
                break
            (camera,) = rig.windows(1, factor * config.view_size, config.window_size, rng, 0.0)
            outer, _ = rasterizer.layers(camera.resized(PROBE_SIZE, PROBE_SIZE))
            if (outer.face >= 0).mean() > LEAST_SHOWN:
                chosen.append(camera)
    return chosen


def photo_views(job: BakeJob, rasterizer: Rasterizer, folder: Path) -> ViewSet | None:
    """The photos to train on, at several scales; None without photos, or if all are smaller than a crop."""
    return views_of_photos(scaled_photos(job), network_of(job), rasterizer, folder)


def views_of_photos(
    scaled: list[tuple[Photo, int]], spec: NetworkSpec, rasterizer: Rasterizer, folder: Path
) -> ViewSet | None:
    """Photos at the heights beside them, for the network ``spec``; None without any."""
    if not scaled:
        return None
    cameras, pictures, opacity = read_pictures(scaled, folder / "photos")
    found = make_view_set(cameras, pictures, rasterizer, spec, folder / "photo-hits")
    return replace(found, opacity=opacity)
