"""Compares a bundle, drawn by the viewer's renderer, with its teacher at held-out views and with test photos."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.images import over
from duplex.app.core.metrics import psnr
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.photos import Photo
from duplex.baking.datasets.reading import read_dataset, read_photos
from duplex.baking.evaluation.metrics import Metrics, Quality, mean_of
from duplex.baking.evaluation.motion import paths, steadiness
from duplex.baking.evaluation.silhouettes import Silhouettes, specks
from duplex.baking.evaluation.teacher_renderer import TeacherRenderer
from duplex.baking.evaluation.viewpoints import RINGS, along_photos, elsewhere, ring, turn, unseen_cameras
from duplex.baking.evaluation.worst_crops import WorstCrops
from duplex.baking.provenance import dataset_to_world_of, principal_shift_of, rig_of
from duplex.baking.runtime.progress import Tracker, say, track
from duplex.baking.subject import world_of

Triple = tuple[float, float, float]
SHOWN_PICTURES = 8
FRAMES = 9
WAY_FRAMES = 60
VISIBLE = 1 / 100  # the teacher's opacity of pixels that count from afar, where most of a picture is empty


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
    worst: WorstCrops = field(default_factory=WorstCrops)

    def drawn(self, camera: Camera) -> Array:
        """The bundle's picture of ``camera``, (h, w, 3) float32 in [0, 1]."""
        return self.renderer.image(camera)[..., :3].astype(np.float32) / 255

    def rgba(self, camera: Camera) -> Array:
        """The bundle's picture of ``camera`` with premultiplied alpha, (h, w, 4) float32 in [0, 1]."""
        return self.renderer.image(camera, FrameOptions(background=TRANSPARENT)).astype(np.float32) / 255

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
                if draw is None:
                    self.worst.add(label, i, drawn, reference)
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
class AgainstTeacher:
    """The comparison with a teacher: the ``compared`` views, and ``measures``, further members of the report."""

    compared: list[Compared]
    measures: dict[str, Any]


def against_teacher(judge: Judge, teacher: TeacherRenderer, views: int, size: int) -> AgainstTeacher:
    """Compare with the teacher at ``views`` held-out views of ``size`` x ``size`` pixels.

    Half as many views are added on each other ring of distance, and from where no training camera stood.
    """
    cameras = unseen_cameras(judge.bundle, views, size)
    silhouettes = Silhouettes()
    near = []

    def reference(camera: Camera) -> Array:
        rgba = teacher.rgba(camera)
        drawn = judge.rgba(camera)
        silhouettes.add(drawn, rgba)
        near.append(_visible_psnr(judge.bundle, drawn, rgba))
        return over(rgba, judge.bundle.background) if teacher.fast else teacher.drawn(camera)

    compared = judge.compare([(camera, partial(reference, camera)) for camera in cameras], "against the teacher")
    some = cameras[: max(views // 2, 1)]
    rings = {
        f"{times:.1f}": _mean(near) if times == 1 else _psnr_at(judge, teacher, ring(judge.bundle, some, times), times)
        for times in RINGS
    }
    others = _psnr_at(judge, teacher, elsewhere(judge.bundle, len(some), size), "elsewhere")
    surrounded = rig_of(judge.bundle).surrounded
    measures = {**silhouettes.summary(), "rings": None if surrounded else rings, "elsewhere": others}
    return AgainstTeacher(compared, measures)


def speck_count(judge: Judge, teacher: TeacherRenderer, frames: int, size: int) -> int:
    """The number of opaque specks in ``frames`` frames of a turn around the scene."""
    cameras = turn(judge.bundle, frames, size)
    count = 0
    with track("a turn", len(cameras)) as progress:
        for camera in cameras:
            count += specks(judge.rgba(camera), teacher.rgba(camera))
            progress.advance(note=f"{count} specks")
    return count


def holes(judge: Judge, size: int) -> float | None:
    """The share of the pixels, in [0, 1], that are less than half opaque on the way along the photos.

    None for an object, which has a background.
    """
    cameras = along_photos(judge.bundle, WAY_FRAMES, size)
    if not cameras:
        return None
    found = []
    with track("along the photos", len(cameras)) as progress:
        for camera in cameras:
            found.append(float((judge.rgba(camera)[..., 3] < 0.5).mean()))
            progress.advance(note=f"{100 * np.mean(found):.2f}% holes")
    return float(np.mean(found))


def _psnr_at(judge: Judge, teacher: TeacherRenderer, cameras: list[Camera], where: object) -> float | None:
    """The mean PSNR in dB of the pixels that show the scene; None if none of ``cameras`` sees it."""
    found = []
    with track(f"views at {where} times the distance" if isinstance(where, float) else str(where), len(cameras)) as bar:
        for camera in cameras:
            found.append(_visible_psnr(judge.bundle, judge.rgba(camera), teacher.rgba(camera)))
            bar.advance()
    return _mean(found)


def _visible_psnr(bundle: Bundle, drawn: Array, rgba: Array) -> float | None:
    """PSNR in dB on the bundle's background where the teacher is visible; None if it is nowhere."""
    shown = rgba[..., 3] > VISIBLE
    if not shown.any():
        return None
    return psnr(*(over(picture[shown], bundle.background) for picture in (drawn, rgba)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


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
    """Compare with photos, box-filtered to at most ``size`` pixels along the longer side, on the bundle's background.

    ``teacher``: is compared instead of the bundle, if given.
    """
    pictures = []
    for photo in photos:
        height = height_of(photo.camera, size)
        pictures.append((photo.camera_at(height), partial(photo.pixels, height, judge.bundle.background)))
    if teacher:
        return judge.compare(pictures, "the teacher against the photos", teacher.drawn)
    return judge.compare(pictures, "against the photos")


def height_of(camera: Camera, size: int) -> int:
    """The height at which the longer side of a photo has ``size`` pixels; never larger than the photo itself."""
    return min(max(round(size * camera.height / max(camera.width, camera.height)), 1), camera.height)


def photos_of(bundle: Bundle, folder: Path, split: str = "test") -> list[Photo]:
    """The photos of the dataset in ``folder``, ``test`` or ``train``, with their cameras in the bundle's world."""
    photos = read_photos(folder, split, principal_shift_of(bundle))
    numbers = dataset_to_world_of(bundle)
    if numbers is None:
        return photos
    try:
        to_world = world_of(numbers, read_dataset(folder).to_original)
    except ValueError:
        raise DuplexError("manifest.json: teacher.dataset_to_world: expected 16 numbers: bake again") from None
    return [replace(photo, camera=photo.camera.moved(to_world)) for photo in photos]


def facts(bundle: Bundle, sizes: dict[str, int]) -> dict[str, Any]:
    """The report's facts of a bundle with ``sizes`` of its kinds of parts: faces, texels, multiply-adds, bracketing."""
    return {
        "bundle_bytes": sum(sizes.values()),
        "part_bytes": sizes,
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
