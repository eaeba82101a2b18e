"""What each idea is worth: the same scene distilled without it, everything else equal.

Geometry, views, steps and seed are those of the bake; a variant leaves out one thing. Whole pictures of the student
are scored in torch, which the viewer's shaders agree with (``tests/parity``), because no bundle holds some variants.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import moderngl
import numpy as np

from duplex.app.core.files import write_atomically
from duplex.app.scene.network import MAX_CHANNELS, VIEW_CHANNELS, ConvLayer, NetworkSpec
from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.trainer import Distiller
from duplex.baking.distill.views import NOWHERE, VIEW_BYTES, ViewSet, make_view_set, read_pictures, render_teacher
from duplex.baking.evaluation.metrics import Metrics, mean_of
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.job import BakeJob, needs
from duplex.baking.pipeline import EVALUATION_STREAM, cameras_of, duplex_mesh, photo_views, teacher_views
from duplex.baking.runtime.memory import Needs
from duplex.baking.runtime.progress import say
from duplex.baking.runtime.workspace import Workspace

UNSEEN_VIEWS = 16
STRUCTURE_WEIGHT = 0.02  # where DSSIM joins the loss

Means = dict[str, float | None]


@dataclass(frozen=True)
class Row:
    """One variant: multiply-adds a pixel, and its means at unseen cameras and on the test photos, if any.

    They are those of :func:`duplex.baking.evaluation.metrics.mean_of`.
    """

    name: str
    macs: float
    unseen: Means
    photos: Means | None


@dataclass(frozen=True)
class Views:
    """Views of one scene: the teacher's ``distilled`` ones and ``photos`` to learn from, and two sets to judge by."""

    distilled: ViewSet
    photos: ViewSet | None
    unseen: ViewSet
    test: ViewSet | None

    def each(self, change: Callable[[ViewSet, str], ViewSet]) -> Views:
        """The same views with every set but the photos changed; ``change`` is given the set's name too."""
        sets = {name: found for name in VIEW_SETS if (found := getattr(self, name)) is not None}
        return replace(self, **{name: change(found, name) for name, found in sets.items()})


VIEW_SETS = ("distilled", "unseen", "test")  # those of which the variants without one of the shells need others


def ablate(
    job: BakeJob, test: list[tuple[Photo, int]], workspace: Workspace, ctx: moderngl.Context, metrics: Metrics
) -> list[Row]:
    """Train and judge all variants but those of which ``workspace`` already knows the result.

    ``test``: photos that are not trained on, with the heights to judge them at.
    """
    _check_needs(job, test, workspace)
    grid, shells = duplex_mesh(job, workspace, ctx)
    both = _views(job, test, grid, Rasterizer(ctx, *shells), workspace.folder)
    inner = Rasterizer(ctx, shells[1], shells[1])

    def without_outer(views: ViewSet, name: str) -> ViewSet:
        return make_view_set(views.cameras, views.pictures, inner, views.margin, workspace.folder / f"lone-{name}")

    bench = _Bench(job, metrics, workspace.folder)
    return [bench.row(variant) for variant in _variants(job, both, both.each(without_outer))]


@dataclass(frozen=True)
class AblationVariant:
    """One line of the table: what is trained on, what it is judged by, and what differs from the method itself.

    ``rounded``: whether textures are seen through 8 bits; ``view_channels``: encoded view directions that the network
    is shown; ``settings``: of the distillation, in place of the job's.
    """

    name: str
    sets: list[ViewSet]
    views: Views
    spec: NetworkSpec
    rounded: bool = True
    view_channels: int = VIEW_CHANNELS
    settings: dict[str, Any] = field(default_factory=dict)


class _Bench:
    """Trains and judges variants; results are kept in ``folder`` as soon as they are known."""

    def __init__(self, job: BakeJob, metrics: Metrics, folder: Path):
        self.job = job
        self.metrics = metrics
        self.folder = folder
        self.file = folder / "rows.json"
        kept = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.known = {name: Row(**values) for name, values in kept.items()}

    def row(self, variant: AblationVariant) -> Row:
        """The row of ``variant``."""
        if variant.name in self.known:
            return self.known[variant.name]
        say(f"{variant.name} ...")
        trainer = self._trained(variant)
        unseen = self._judged(trainer, variant.views.unseen)
        assert unseen
        photos = self._judged(trainer, variant.views.test)
        found = self.known[variant.name] = Row(variant.name, variant.spec.macs_per_pixel, unseen, photos)
        say(f"{variant.name}: {unseen['psnr']:.2f} dB at unseen cameras")
        write_atomically(self.file, json.dumps({name: asdict(row) for name, row in self.known.items()}).encode())
        return found

    def _trained(self, variant: AblationVariant) -> Distiller:
        job = self.job
        config = replace(job.config.distill, **variant.settings)
        trainer = Distiller(variant.spec, job.config.atlas.texels, config, job.seed, job.teacher.device)
        trainer.student.view_channels = variant.view_channels
        for texture in trainer.student.textures:
            texture.rounded = variant.rounded
        trainer.train(variant.sets, job.teacher.scene.background, self.folder / "variant.safetensors")
        return trainer

    def _judged(self, trainer: Distiller, views: ViewSet | None) -> Means | None:
        if views is None:
            return None
        pairs = trainer.pictures(views, self.job.teacher.scene.background)
        return mean_of([self.metrics(*pair) for pair in pairs if np.isfinite(pair[1]).any()])


def _check_needs(job: BakeJob, test: list[tuple[Photo, int]], workspace: Workspace) -> None:
    needed = needs(job)
    judged = UNSEEN_VIEWS * (job.config.views.view_size + 2) ** 2
    judged += sum(height * (photo.camera_at(height).width + 2) for photo, height in test)
    kept = 2 * (needed.disk + VIEW_BYTES * judged)  # hits anew for one shell, some of them in memory
    Needs(needed.memory + kept, kept, needed.gpu).check(workspace.folder, job.teacher.device)


def _variants(job: BakeJob, both: Views, lone: Views) -> list[AblationVariant]:
    """The method itself and what differs from it in one thing; ``lone``: views without the outer shell."""
    cnn = NetworkSpec.shallow(job.config.distill.features, job.config.distill.width)
    outer_only, inner_only, narrow = both.each(_first_layer), lone.each(_first_layer), both.each(_without_margin)
    distilled = [both.distilled]
    variants = [
        AblationVariant("duplex, CNN, distilled", distilled, both, cnn),
        AblationVariant("outer shell alone", [outer_only.distilled], outer_only, cnn),
        AblationVariant("inner shell alone", [inner_only.distilled], inner_only, cnn),
        AblationVariant("MLP for each pixel", [narrow.distilled], narrow, pixel_mlp(cnn)),
        AblationVariant("features not rounded to 8 bits", distilled, both, cnn, rounded=False),
        AblationVariant("no view directions", distilled, both, cnn, view_channels=0),
        AblationVariant("view directions as unit vectors", distilled, both, cnn, view_channels=3),
        AblationVariant("view directions in the whole 3 x 3 window", distilled, both, replace(cnn, view_kernel=3)),
        AblationVariant("DSSIM joins the loss", distilled, both, cnn, settings={"structure_weight": STRUCTURE_WEIGHT}),
    ]
    if both.photos:
        variants += [
            AblationVariant("photos only, not distilled", [both.photos], both, cnn),
            AblationVariant("distilled, then fine-tuned on photos", [both.distilled, both.photos], both, cnn),
        ]
    return variants


def _views(
    job: BakeJob, test: list[tuple[Photo, int]], grid: DensityGrid, rasterizer: Rasterizer, folder: Path
) -> Views:
    margin = NetworkSpec.shallow(job.config.distill.features, job.config.distill.width).margin
    renderer = FastRenderer(job.teacher, grid, job.config.views.sub_steps)
    distilled, _ = teacher_views(job, grid, rasterizer, margin, folder)
    cameras = cameras_of(job, EVALUATION_STREAM, UNSEEN_VIEWS, job.config.views.view_size)
    unseen = make_view_set(
        cameras, render_teacher(renderer, cameras, folder / "unseen"), rasterizer, margin, folder / "unseen-hits"
    )
    judged = None
    if test:
        seen, pictures, _ = read_pictures(test, folder / "test")
        judged = make_view_set(seen, pictures, rasterizer, margin, folder / "test-hits")
    return Views(distilled, photo_views(job, rasterizer, margin, folder), unseen, judged)


def _first_layer(views: ViewSet, name: str) -> ViewSet:
    hits = [np.array(view) for view in views.hits]
    for view in hits:
        view[..., 2:4] = NOWHERE
    return replace(views, hits=hits)


def _without_margin(views: ViewSet, name: str) -> ViewSet:
    m = views.margin
    return replace(views, hits=[view[m:-m, m:-m] for view in views.hits], margin=0)


def pixel_mlp(cnn: NetworkSpec) -> NetworkSpec:
    """A network for single pixels, three layers as ``cnn`` has, of as many multiply-adds as widths up to 64 allow."""
    outputs = 4 * cnn.channels_to_space**2
    costs = {w: cnn.inputs * w + w * w + w * outputs for w in range(4, MAX_CHANNELS + 1, 4)}
    width = min(costs, key=lambda w: abs(costs[w] - cnn.macs_per_pixel * cnn.channels_to_space**2))
    sides = [(cnn.inputs, width, "relu"), (width, width, "relu"), (width, outputs, "sigmoid")]
    return replace(cnn, layers=tuple(ConvLayer(1, a, b, activation) for a, b, activation in sides))


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table; the differences are those to the first row."""
    titles = ["variant", "multiply-adds a pixel"]
    for judged in ("unseen views", "test photos") if rows[0].photos else ("unseen views",):
        titles += [judged, "difference", "SSIM", "LPIPS (VGG)"]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row in rows:
        cells = [row.name, f"{row.macs:.0f}"]
        for found, first in ((row.unseen, rows[0].unseen), (row.photos, rows[0].photos)):
            if found and first:
                cells += [
                    f"{found['psnr']:.2f} dB",
                    f"{(found['psnr'] or 0) - (first['psnr'] or 0):+.2f}",
                    f"{found['ssim']:.4f}",
                    "not measured" if found["lpips_vgg"] is None else f"{found['lpips_vgg']:.4f}",
                ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
