"""How good a scene is in how few bytes: the curve of a bundle beside published ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from duplex.app.core.arrays import Array
from duplex.app.core.files import write_atomically
from duplex.app.core.metrics import psnr_of_known
from duplex.app.render.gpu import create_headless_context
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.camera import Camera
from duplex.baking.bundles.recompression import RecompressionConfig, Sources, learning
from duplex.baking.evaluation.comparison import height_of, photos_of
from duplex.baking.evaluation.teacher_renderer import TeacherRenderer, teacher_of
from duplex.baking.evaluation.viewpoints import unseen_cameras
from duplex.baking.runtime.progress import say

WEIGHTS = (1.5, 4.0, 12.0, 35.0, 100.0)  # of the rate, one for each point
DPI = 150


class Published(NamedTuple):
    """A point of somebody else's, against test photos: all bytes that are needed, decoder included."""

    name: str
    megabytes: float
    psnr: float
    scenes: str
    source: str


SURVEY = "3DGS compression survey, w-m/3dgs-compression-survey, April 2025"
PUBLISHED = (
    Published("HAC++", 0.79, 32.77, "NeRF-synthetic, mean", SURVEY),
    Published("HAC++", 1.93, 33.76, "NeRF-synthetic, mean", SURVEY),
    Published("HEMGS", 1.32, 33.58, "NeRF-synthetic, mean", SURVEY),
    Published("RDO-Gaussian", 1.02, 32.01, "NeRF-synthetic, mean", SURVEY),
    Published("RDO-Gaussian", 2.31, 33.12, "NeRF-synthetic, mean", SURVEY),
    Published("NeRFCodec", 1.18, 31.7, "NeRF-synthetic, mean", "Li et al., CVPR 2024; with the decoder's weights"),
    Published("CNC", 0.99, 33.16, "NeRF-synthetic, mean", "Chen et al., CVPR 2024"),
)


@dataclass(frozen=True)
class Point:
    """A file of ``megabytes``, and PSNR in dB against the ``teacher`` and the test ``photos``, None if not measured."""

    name: str
    megabytes: float
    teacher: float | None
    photos: float | None


@dataclass(frozen=True)
class Judged:
    """What files are compared with: cameras and pictures, (h, w, 3) float32, of the ``teacher`` and of ``photos``.

    Pixels of photos that are not known are NaN.
    """

    teacher: Sequence[tuple[Camera, Array]] = ()
    photos: Sequence[tuple[Camera, Array]] = ()

    @classmethod
    def of(cls, bundle: Bundle, sources: Sources, size: int, count: int) -> Judged:
        """``count`` unseen cameras of the teacher and as many test photos, ``size`` pixels along the longer side."""
        teacher: list[tuple[Camera, Array]] = []
        photos: list[tuple[Camera, Array]] = []
        if sources.teacher:
            renderer = TeacherRenderer(teacher_of(bundle, sources.teacher, sources.device), bundle, fast=True)
            teacher = [(camera, renderer.drawn(camera)) for camera in unseen_cameras(bundle, count, size)]
        if sources.data:
            known = photos_of(bundle, sources.data)
            for i in np.linspace(0, len(known) - 1, min(count, len(known))).round().astype(int):
                height = height_of(known[i].camera, size)
                photos.append((known[i].camera_at(height), known[i].pixels(height, bundle.background)))
        return cls(teacher, photos)

    def point(self, name: str, size: float, bundle: Bundle) -> Point:
        """The point of a file of ``size`` bytes, which holds ``bundle``."""
        renderer = Renderer(create_headless_context(), bundle)
        found = []
        for pictures in (self.teacher, self.photos):
            each = [
                psnr_of_known(renderer.image(camera)[..., :3].astype(np.float32) / 255, wanted)
                for camera, wanted in pictures
            ]
            found.append(float(np.mean(each)) if each else None)
        point = Point(name, size / 1e6, *found)
        say(f"{name}: {point.megabytes:.3f} MB, {_cell(found[0])} to the teacher, {_cell(found[1])} to the photos")
        return point


def rate_curve(file: Path, config: RecompressionConfig, sources: Sources, size: int, count: int) -> list[Point]:
    """The bundle ``file`` as it is, and learned with each of :data:`WEIGHTS`, all judged by the same pictures.

    ``size``: of the pictures' longer side, pixels; ``count``: of the teacher's and of the photos at most.
    """
    bundle = read_bundle(file)
    judged = Judged.of(bundle, sources, size, count)
    points = [judged.point("as it is", file.stat().st_size, bundle)]
    with learning(bundle, config, sources) as learner:
        contents = [learner.file(learner.tuned(replace(config.tuning, rate_weight=weight))) for weight in WEIGHTS]
    with TemporaryDirectory() as folder:
        small = Path(folder) / "small.bundle"
        for weight, content in zip(WEIGHTS, contents, strict=True):
            small.write_bytes(content)
            points.append(judged.point(f"--rate-weight {weight:g}", len(content), read_bundle(small)))
    return points


def write_rate(points: Sequence[Point], output: Path) -> None:
    """Write the table ``output`` (Markdown), and beside it the picture of the curve, which it shows."""
    picture = output.with_suffix(".png")
    write_atomically(picture, _plot(points))
    write_atomically(output, (_table(points) + f"\n![rate and quality]({picture.name})\n").encode())


def _table(points: Sequence[Point]) -> str:
    lines = ["| file | MB | to the teacher | to the test photos |", "|---|---|---|---|"]
    for point in points:
        cells = [point.name, f"{point.megabytes:.3f}", *(_cell(each) for each in (point.teacher, point.photos))]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| published | MB | to the test photos | of | source |", "|---|---|---|---|---|"]
    lines += [f"| {p.name} | {p.megabytes:.2f} | {p.psnr:.2f} dB | {p.scenes} | {p.source} |" for p in PUBLISHED]
    return "\n".join(lines) + "\n"


def _cell(psnr: float | None) -> str:
    return "not measured" if psnr is None else f"{psnr:.2f} dB"


def _plot(points: Sequence[Point]) -> bytes:
    figure = Figure(figsize=(7, 4.5), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for label, block in (("to the teacher", "teacher"), ("to the test photos", "photos")):
        known = sorted((p.megabytes, psnr) for p in points if (psnr := getattr(p, block)) is not None)
        if known:
            axes.plot(*zip(*known, strict=True), marker="o", label=f"this scene, {label}")
    for name in dict.fromkeys(each.name for each in PUBLISHED):
        own = [(p.megabytes, p.psnr) for p in PUBLISHED if p.name == name]
        axes.plot(*zip(*own, strict=True), marker="x", linestyle=":", label=f"{name}, NeRF-synthetic, to the photos")
    axes.set(xscale="log", xlabel="whole file, MB", ylabel="PSNR, dB")
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
