"""The whole evaluation of a bundle, in order: :func:`evaluate` is the table of contents."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.errors import DuplexError
from duplex.app.render.gpu import create_headless_context
from duplex.app.render.renderer import Renderer
from duplex.app.scene.archive import sizes_by_kind
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.baking.evaluation.comparison import (
    Compared,
    Judge,
    against_photos,
    against_teacher,
    facts,
    frame_seconds,
    holes,
    motion,
    photos_of,
    speck_count,
    summary,
)
from duplex.baking.evaluation.metrics import Metrics
from duplex.baking.evaluation.teacher_renderer import TeacherRenderer, teacher_of
from duplex.baking.settings import as_number

DEFAULT_VIEWS = 8
DEFAULT_SIZE = 800  # pixels
STANDARD_SIZE = 400  # pixels: up to this size the standard renderer draws the teacher unless told otherwise
FRAME_SIDES = (400, 800)  # pixels; the HTML report gives the frame time for these sizes


@dataclass(frozen=True)
class EvaluationOptions:
    """The options of an evaluation.

    ``teacher``: the checkpoint to compare with at held-out views; ``data``: the folder of the dataset whose test photos
    to compare with; ``views``: number of cameras or photos, by default 8 cameras and all photos; ``frames``: number of
    frames of the two paths that measure steadiness, 0 for none; ``turn``: number of frames of a turn around the scene
    in which specks are counted, 0 for none; ``size``: of the pictures' longer side in pixels; ``lpips``: whether to
    measure LPIPS; ``fast``, ``standard``: which renderer draws the teacher, by default the bake's above 400 pixels;
    ``teacher_photos``: whether to compare the teacher with the photos too; ``device``: torch device of the teacher.
    """

    teacher: Path | None = None
    data: Path | None = None
    views: int | None = None
    frames: int = 0
    turn: int = 0
    size: int = DEFAULT_SIZE
    lpips: bool = True
    fast: bool = False
    standard: bool = False
    teacher_photos: bool = False
    device: str = "auto"

    def check(self) -> None:
        """Raise :class:`DuplexError` for options of another type, out of range or in conflict."""
        for name in ("size", "views", "frames", "turn"):
            as_number(name, getattr(self, name) or 0, int)
        if not 16 <= self.size <= 4096:
            raise DuplexError(f"--size {self.size}: expected 16 to 4096 pixels")
        if self.views is not None and not 1 <= self.views <= 10000:
            raise DuplexError(f"--views {self.views}: expected 1 to 10000")
        if self.frames and not (self.teacher and 3 <= self.frames <= 360):
            raise DuplexError(f"--frames {self.frames}: expected 3 to 360, and --teacher with it")
        if self.turn and not (self.teacher and 1 <= self.turn <= 360):
            raise DuplexError(f"--turn {self.turn}: expected 1 to 360, and --teacher with it")
        if self.teacher_photos and not (self.teacher and self.data):
            raise DuplexError("--teacher-photos: expected --teacher and --data with it")
        for name in ("fast", "standard"):
            if getattr(self, name) and not self.teacher:
                raise DuplexError(f"--{name}: expected --teacher with it, the checkpoint to draw")
        if self.fast and self.standard:
            raise DuplexError("--fast and --standard: expected one of them, or none to choose by the size")

    @property
    def renderer(self) -> str:
        """``fast`` or ``standard``: which one draws the teacher."""
        return "fast" if self.fast or (self.size > STANDARD_SIZE and not self.standard) else "standard"


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation: how close a bundle is to its teacher and to photos.

    ``report``: the measures, see :meth:`to_json`; ``compared``: the compared views, under ``teacher`` and ``photos``;
    ``judge``: the bundle with its renderer.
    """

    report: dict[str, Any]
    compared: dict[str, list[Compared]]
    judge: Judge

    @property
    def bundle(self) -> Bundle:
        """The evaluated bundle."""
        return self.judge.bundle

    @property
    def psnr(self) -> float | None:
        """PSNR in dB against the teacher, or against the photos if no teacher was given; None without both."""
        block = self.report["teacher"] or self.report["photos"]
        return None if block is None else float(block["psnr"])

    def frame_seconds(self) -> dict[int, float]:
        """Median seconds per frame, by the side of a square picture in pixels."""
        return {side: frame_seconds(self.judge, side) for side in FRAME_SIDES}

    def to_json(self) -> dict[str, Any]:
        """The measures as JSON values, which ``duplex-eval --json`` prints."""
        return self.report


def evaluate(source: Bundle | Path, options: EvaluationOptions) -> Evaluation:
    """Evaluate the bundle ``source``, drawn by the viewer's renderer; raises :class:`DuplexError`."""
    options.check()
    bundle = source if isinstance(source, Bundle) else read_bundle(source, trusted=False)
    sizes = _sizes(write_bundle(source) if isinstance(source, Bundle) else source)
    teacher = None
    if options.teacher:
        fast = options.renderer == "fast"
        teacher = TeacherRenderer(teacher_of(bundle, options.teacher, options.device), bundle, fast)
    photos = photos_of(bundle, options.data) if options.data else []
    judge = Judge(bundle, Renderer(create_headless_context(), bundle), Metrics(options.lpips))
    compared = {}
    report: dict[str, Any] = {"teacher": None, "photos": None}
    if teacher:
        found = against_teacher(judge, teacher, options.views or DEFAULT_VIEWS, options.size)
        compared["teacher"] = found.compared
        report["teacher"] = {**summary(found.compared), **found.measures}
        report["teacher_renderer"] = options.renderer
    if teacher and options.turn:
        report["teacher"]["specks"] = speck_count(judge, teacher, options.turn, options.size)
    if photos:
        if options.views and options.views < len(photos):
            photos = [photos[i] for i in np.linspace(0, len(photos) - 1, options.views).round().astype(int)]
        compared["photos"] = against_photos(judge, photos, options.size)
        report["photos"] = {**summary(compared["photos"]), "holes": holes(judge, options.size)}
    if options.teacher_photos:
        report["photos"]["teacher"] = summary(against_photos(judge, photos, options.size, teacher))
    report |= facts(bundle, sizes)
    if teacher and options.frames:
        report["steadiness"] = motion(judge, teacher, options.frames, options.size)
    return Evaluation(report, compared, judge)


def _sizes(source: Path | bytes) -> dict[str, int]:
    if isinstance(source, bytes):
        return sizes_by_kind(io.BytesIO(source), len(source))
    return sizes_by_kind(source, source.stat().st_size)
