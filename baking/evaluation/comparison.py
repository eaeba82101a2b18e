"""Compares a bundle, drawn by the viewer's renderer, with its teacher at held-out views and with test photos."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.photos import Photo
from duplex.baking.datasets.reading import read_dataset, read_photos
from duplex.baking.evaluation.metrics import Metrics, Quality, mean_of
from duplex.baking.evaluation.motion import paths, steadiness
from duplex.baking.fields import rendering
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.field import Teacher
from duplex.baking.job import BakeJob
from duplex.baking.pipeline import EVALUATION_STREAM, density_of
from duplex.baking.provenance import (
    bounds_of,
    config_of,
    dataset_to_world_of,
    depths_of,
    principal_shift_of,
    rig_of,
    seed_of,
    space_of,
)
from duplex.baking.runtime.progress import Tracker, say, track
from duplex.baking.subject import world_of

Triple = tuple[float, float, float]
SHOWN_PICTURES = 8
FRAMES = 9


@dataclass(frozen=True)
class Compared:
    """The comparison of one view.

    ``drawn``: the bundle's picture; ``reference``: the teacher's picture or the photo; both (h, w, 3) float32 in
    [0, 1], or None if the view is not shown in the report.
    """

    quality: Quality
    drawn: Array | None
    reference: Array | None


@dataclass(frozen=True)
class Judge:
    """Draws a bundle and measures what it draws."""

    bundle: Bundle
    renderer: Renderer
    metrics: Metrics

    def drawn(self, camera: Camera) -> Array:
        """The bundle's picture of ``camera``, (h, w, 3) float32 in [0, 1]."""
        return self.renderer.image(camera)[..., :3].astype(np.float32) / 255

    def compare(
        self,
        pictures: Sequence[tuple[Camera, Callable[[], Array]]],
        label: str,
        draw: Callable[[Camera], Array] | None = None,
    ) -> list[Compared]:
        """Draw the bundle at each camera and compare it with the reference, (h, w, 3) float32 in [0, 1].

        ``draw``: replaces the bundle's renderer. The result holds the pixels of only a few, evenly spread views.
        """
        shown = set(np.linspace(0, len(pictures) - 1, min(SHOWN_PICTURES, len(pictures))).round().astype(int).tolist())
        views = []
        with track(label, len(pictures)) as progress:
            for i, (camera, render_reference) in enumerate(pictures):
                reference = render_reference()
                if not np.isfinite(reference).any():
                    say(f"note: {label}: no pixel of picture {i} is known: it is left out")
                    continue
                drawn = (draw or self.drawn)(camera)
                quality = self.metrics(drawn, reference)
                reference = np.where(np.isfinite(reference), reference, drawn)
                views.append(Compared(quality, drawn, reference) if i in shown else Compared(quality, None, None))
                progress.advance(note=f"{quality.psnr:.2f} dB")
        if not views:
            raise DuplexError(f"{label}: no pixel of {len(pictures)} pictures is known: expected masks that leave some")
        return views


def summary(views: list[Compared]) -> dict[str, Any]:
    """The means ``psnr``, ``ssim``, ``lpips_vgg`` and ``lpips_alex``, and under ``views`` the same of each view."""
    qualities = [view.quality for view in views]
    return {**mean_of(qualities), "views": [asdict(quality) for quality in qualities]}


@dataclass(frozen=True)
class TeacherRenderer:
    """Draws the teacher of ``bundle`` with the standard renderer, or with the bake's renderer if ``fast``."""

    teacher: Teacher
    bundle: Bundle
    fast: bool = False

    @cached_property
    def _render(self) -> Callable[[Camera], Tensor]:
        if not self.fast:
            return partial(rendering.render, self.teacher)
        rig = rig_of(self.bundle)
        dataset = self.bundle.cameras if self.bundle.rig.get("dataset_cameras") else ()
        config = config_of(self.bundle)
        grid = density_of(BakeJob(self.teacher, config, rig, dataset, seed=seed_of(self.bundle)))
        return FastRenderer(self.teacher, grid, config.views.sub_steps).render

    def drawn(self, camera: Camera) -> Array:
        """The teacher's picture of ``camera`` on the bundle's background, (h, w, 3) float32 in [0, 1]."""
        rgba = self._render(camera).cpu().numpy()
        background = np.array(self.bundle.background, np.float32)
        return np.asarray(np.clip(rgba[..., :3] + (1 - rgba[..., 3:]) * background, 0, 1))


def against_teacher(judge: Judge, teacher: TeacherRenderer, views: int, size: int) -> list[Compared]:
    """Compare with the teacher at ``views`` held-out views of ``size`` x ``size`` pixels."""
    pictures = [(camera, partial(teacher.drawn, camera)) for camera in unseen_cameras(judge.bundle, views, size)]
    return judge.compare(pictures, "against the teacher")


def motion(judge: Judge, teacher: TeacherRenderer, frames: int, size: int) -> dict[str, dict[str, float]]:
    """The :class:`~duplex.baking.evaluation.motion.Steadiness` of an orbit and a flight of ``frames`` frames each."""
    result = {}
    for name, cameras in paths(rig_of(judge.bundle), frames, size).items():
        with track(name, len(cameras)) as progress:

            def frame(camera: Camera, progress: Tracker = progress) -> tuple[Array, Array]:
                drawn = judge.drawn(camera)
                reference = teacher.drawn(camera)
                progress.advance()
                return drawn, reference

            result[name] = asdict(steadiness(map(frame, cameras)))
    return result


def against_photos(
    judge: Judge, photos: list[Photo], size: int, teacher: TeacherRenderer | None = None
) -> list[Compared]:
    """Compare with photos, box-filtered to a height of at most ``size`` pixels, on the teacher's background.

    ``teacher``: is compared instead of the bundle, if given.
    """
    pictures = []
    for photo in photos:
        height = min(size, photo.camera.height)  # an enlarged photo has no more detail to compare
        pictures.append((photo.camera_at(height), partial(photo.pixels, height, judge.bundle.background)))
    if teacher:
        return judge.compare(pictures, "the teacher against the photos", teacher.drawn)
    return judge.compare(pictures, "against the photos")


def unseen_cameras(bundle: Bundle, count: int, size: int) -> list[Camera]:
    """Held-out cameras from the bundle's rig; no stage of the bake uses their random stream."""
    return rig_of(bundle).cameras(count, size, np.random.default_rng([seed_of(bundle), EVALUATION_STREAM]))


def as_baked(teacher: Teacher, bundle: Bundle) -> Teacher:
    """The teacher with the bake's background, space, depths and bounds in place of its configuration's.

    The standard renderer also draws the scene outside the bounds. A note reports this if the bake used smaller bounds.
    """
    near, far = depths_of(bundle) or (teacher.scene.near, teacher.scene.far)
    space = space_of(bundle)
    bounds = teacher.scene.bounds
    if "bounds" in bundle.teacher:
        bounds = bounds_of(bundle)
        if bounds and not (teacher.scene.bounds and np.allclose(bounds, teacher.scene.bounds)):
            say("note: only a part of the scene was baked; --fast draws no more of the teacher either")
    scene = replace(teacher.scene, background=bundle.background, space=space, near=near, far=far, bounds=bounds)
    return replace(teacher, scene=scene)


def photos_of(bundle: Bundle, folder: Path) -> list[Photo]:
    """The test photos of the dataset in ``folder``, with their cameras in the bundle's world."""
    photos = read_photos(folder, "test", principal_shift_of(bundle))
    numbers = dataset_to_world_of(bundle)
    if numbers is None:
        return photos
    try:
        to_world = world_of(numbers, read_dataset(folder).to_original)
    except ValueError:
        raise DuplexError("manifest.json: teacher.dataset_to_world: expected 16 numbers: bake again") from None
    return [replace(photo, camera=photo.camera.moved(to_world)) for photo in photos]


def facts(bundle: Bundle, size: int) -> dict[str, Any]:
    """The report's facts of a bundle of ``size`` bytes: faces, texels, multiply-adds per pixel, bracketing."""
    return {
        "bundle_bytes": size,
        "faces": bundle.faces,
        "texels": bundle.texels,
        "macs_per_pixel": bundle.network.macs_per_pixel,
        "bracketing": bundle.report.get("bracketing"),
    }


def frame_seconds(judge: Judge, side: int) -> float:
    """The median seconds per frame of ``side`` x ``side`` pixels at the bundle's first camera; 0 without cameras."""
    if not judge.bundle.cameras:
        return 0.0
    camera = judge.bundle.cameras[0].resized(side, side)
    times = []
    for _ in range(FRAMES):
        started = time.perf_counter()
        judge.renderer.draw(camera)
        judge.renderer.ctx.finish()
        times.append(time.perf_counter() - started)
    return float(np.median(times))
