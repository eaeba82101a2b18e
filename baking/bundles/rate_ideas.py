"""What each idea of small files is worth: the same bundle learned without one at a time, and with other codecs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from duplex.app.core.files import write_atomically
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.baking.bundles.rate_curve import Judged, Point
from duplex.baking.bundles.recompression import Learner, RecompressionConfig, Sources, learning
from duplex.baking.compression.alternatives import (
    NOISY_SHARE,
    CoarserLatents,
    ContextFreeLatents,
    HyperpriorLatents,
    NoisyLatents,
    PictureLatents,
    with_one_transform,
    with_plain_transform,
)
from duplex.baking.compression.features import Unpacked, unpacked_of
from duplex.baking.compression.latents import Latents, LatentsMaker, latents_of
from duplex.baking.compression.tuning import Tuner
from duplex.baking.distill.export import export_student
from duplex.baking.runtime.progress import say

CURVE = (0.25, 1.0, 4.0)  # times the rate weight: what variants are compared with
QUALITIES = range(95, 4, -5)  # of AVIF, that are tried
AS_BUILT = "as built"


@dataclass(frozen=True)
class Idea:
    """A row of the table: features ``made`` otherwise; ``steps``: whether they learn at all."""

    name: str
    made: LatentsMaker
    learns: bool = True


def ideas(steps: int, quality: int) -> list[Idea]:
    """All rows beside the curve; ``steps``: of the learning, ``quality``: of AVIF."""

    def each(made: Callable[[Unpacked, float], Latents]) -> LatentsMaker:
        return lambda shells, weights, step: [made(unpacked, step) for unpacked in unpacked_of(shells, weights)]

    noisy = round(NOISY_SHARE * steps)
    pictures = each(lambda unpacked, step: PictureLatents(unpacked, step, quality))
    return [
        Idea("only rounded, nothing learns", latents_of, learns=False),
        Idea("noise for three quarters of the steps, then rounding", each(lambda u, s: NoisyLatents(u, s, noisy))),
        Idea("no contexts: one distribution a level and orientation", each(ContextFreeLatents)),
        Idea("hyperprior instead of contexts", each(HyperpriorLatents)),
        Idea("hyperprior and contexts", each(lambda u, s: HyperpriorLatents(u, s, contexts=True))),
        Idea("no residuals: the finest level left out", each(CoarserLatents)),
        Idea("one channel transform for both shells", with_one_transform),
        Idea("channel transform that does not know the network", with_plain_transform),
        Idea(f"AVIF of quality {quality}, nothing learns", pictures, learns=False),
        Idea(f"AVIF of quality {quality} in the loop", pictures),
    ]


def rate_ideas(file: Path, config: RecompressionConfig, sources: Sources, size: int, count: int) -> list[Point]:
    """The curve of the bundle ``file`` as built, then one point an idea; otherwise as for ``rate_curve``."""
    bundle = read_bundle(file)
    judged = Judged.of(bundle, sources, size, count)
    tuning = config.tuning
    points = []
    with learning(bundle, config, sources) as learner:

        def point(name: str, made: LatentsMaker, weight: float, learns: bool) -> Tuner:
            say(f"{name} ...")
            steps = tuning.rate_steps if learns else 0
            tuner = learner.tuned(replace(tuning, rate_weight=weight, rate_steps=steps), make=made)
            points.append(judged.point(name, size_of(tuner, learner), drawn_by(tuner, learner)))
            return tuner

        for share in CURVE:
            weight = share * tuning.rate_weight
            tuner = point(f"{AS_BUILT}, --rate-weight {weight:g}", latents_of, weight, True)
            if share == 1:
                quality = _quality(tuner.priced(), bundle, learner.step)
        for idea in ideas(tuning.rate_steps, quality):
            point(idea.name, idea.made, tuning.rate_weight, idea.learns)
    return points


def size_of(tuner: Tuner, learner: Learner) -> float:
    """The bytes of a file with what the ``tuner`` learned, by the entropy of its features."""
    return learner.compression.fixed + tuner.priced() / 8


def drawn_by(tuner: Tuner, learner: Learner) -> Bundle:
    """The learner's bundle with the features and the network that the ``tuner`` draws."""
    outer, inner = (each.mesh for each in learner.compression.meshes)
    drawn = export_student(tuner.distiller.student, (outer, inner))
    return replace(learner.bundle, outer=drawn.outer, inner=drawn.inner, weights=drawn.weights)


def _quality(bits: float, bundle: Bundle, step: float) -> int:
    """The best quality of AVIF pictures of the bundle's features that take at most ``bits``, or the least one."""
    unpacked = unpacked_of(bundle.shells, bundle.weights)
    fits = (q for q in QUALITIES if sum(PictureLatents(u, step, q).priced(True) for u in unpacked) <= bits)
    return next(fits, QUALITIES[-1])


def write_ideas(points: Sequence[Point], output: Path) -> None:
    """Write the table ``output`` (Markdown)."""
    write_atomically(output, ideas_table(points).encode())


def ideas_table(points: Sequence[Point]) -> str:
    """The table; each row says how many times the bytes of the curve it takes for pictures as good."""
    curve = [point for point in points if point.name.startswith(AS_BUILT)]
    head = ["| | MB | PSNR | bytes for the same pictures as built |", "|---|---|---|---|"]
    return "\n".join([*head, *(_row(point, curve) for point in points)]) + "\n"


def _row(point: Point, curve: Sequence[Point]) -> str:
    psnr = _psnr(point)
    known = sorted((_psnr(each), float(np.log(each.megabytes))) for each in curve)
    goods, sizes = zip(*known, strict=True)
    if point in curve:
        ratio = ""
    elif psnr < goods[0]:
        ratio = f"worse than {curve[-1].megabytes:.3f} MB"
    elif psnr > goods[-1]:
        ratio = f"better than {curve[0].megabytes:.3f} MB"
    else:
        ratio = f"x {point.megabytes / np.exp(np.interp(psnr, goods, sizes)):.2f}"
    return f"| {point.name} | {point.megabytes:.3f} | {psnr:.2f} dB | {ratio} |"


def _psnr(point: Point) -> float:
    """Against the teacher, or the photos where there is none."""
    psnr = point.photos if point.teacher is None else point.teacher
    assert psnr is not None
    return psnr
