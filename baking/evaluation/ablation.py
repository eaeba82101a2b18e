"""The ablation study: the same scene distilled without one idea of the method at a time.

All variants share the bake's geometry, views, steps and seed; each changes one thing. The student's pictures are scored
in torch, which agrees with the viewer's shaders (``tests/parity``), because a bundle cannot store some variants.
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
from duplex.baking.job import BakeJob, needs, network_of
from duplex.baking.pipeline import EVALUATION_STREAM, cameras_of, duplex_mesh, photo_views, teacher_views
from duplex.baking.runtime.memory import Needs
from duplex.baking.runtime.progress import say
from duplex.baking.runtime.workspace import Workspace, is_stored, reading

UNSEEN_VIEWS = 16
STRUCTURE_WEIGHT = 0.02  # of DSSIM in the loss, for the variant that has it

Means = dict[str, float | None]


class AblationWorkspace(Workspace):
    """The workspace of an ablation; its folder name differs from a bake's."""

    work = "ablation"
    content = "the table to write"
    suffix = ".ablating"


@dataclass(frozen=True)
class Row:
    """The result of one variant.

    ``macs``: multiply-adds per pixel; ``unseen``, ``photos``: means at held-out views and on the test photos, see
    :func:`duplex.baking.evaluation.metrics.mean_of`; None without photos.
    """

    name: str
    macs: float
    unseen: Means
    photos: Means | None


@dataclass(frozen=True)
class Views:
    """The view sets of one scene.

    ``distilled``: the teacher's views for training; ``photos``: for training; ``unseen``: the teacher's held-out views;
    ``test``: test photos. Photos are None without a dataset.
    """

    distilled: ViewSet
    photos: ViewSet | None
    unseen: ViewSet
    test: ViewSet | None

    def each(self, change: Callable[[ViewSet, str], ViewSet]) -> Views:
        """The same views with :data:`VIEW_SETS` replaced by ``change(set, name)``."""
        sets = {name: views for name in VIEW_SETS if (views := getattr(self, name)) is not None}
        return replace(self, **{name: change(views, name) for name, views in sets.items()})


VIEW_SETS = ("distilled", "unseen", "test")  # variants without one of the shells need other hits for these


def ablate(
    job: BakeJob, test: list[tuple[Photo, int]], workspace: Workspace, ctx: moderngl.Context, metrics: Metrics
) -> list[Row]:
    """Train and evaluate all variants, except those whose results are in ``workspace``.

    ``test``: photos that no variant trains on, each with the height in pixels at which it is compared.
    """
    _check_needs(job, test, workspace)
    grid, shells = duplex_mesh(job, workspace, ctx)
    both = _views(job, test, grid, Rasterizer(ctx, *shells), workspace.folder)
    inner = Rasterizer(ctx, shells[1], shells[1])

    def without_outer(views: ViewSet, name: str) -> ViewSet:
        return make_view_set(views.cameras, views.pictures, inner, network_of(job), workspace.folder / f"lone-{name}")

    bench = _Bench(job, metrics, workspace.folder)
    return [bench.row(variant) for variant in _variants(job, both, both.each(without_outer))]


@dataclass(frozen=True)
class AblationVariant:
    """One variant of the method.

    ``sets``: to train on; ``views``: to evaluate on; ``spec``: the network; ``rounded``: whether training quantises
    features to 8 bits; ``view_channels``: how many channels of the encoded view direction the network reads;
    ``settings``: of the distillation, override the job's.
    """

    name: str
    sets: list[ViewSet]
    views: Views
    spec: NetworkSpec
    rounded: bool = True
    view_channels: int = VIEW_CHANNELS
    settings: dict[str, Any] = field(default_factory=dict)


class _Bench:
    """Trains and evaluates variants; each result is saved in ``folder`` at once."""

    def __init__(self, job: BakeJob, metrics: Metrics, folder: Path):
        self.job = job
        self.metrics = metrics
        self.folder = folder
        self.file = folder / "rows.json"
        self.rows: dict[str, Row] = {}
        if is_stored(self.file):
            with reading(self.file):
                self.rows = {name: _row(values) for name, values in json.loads(self.file.read_bytes()).items()}

    def row(self, variant: AblationVariant) -> Row:
        """The row of ``variant``, computed if no earlier run saved it."""
        if variant.name in self.rows:
            return self.rows[variant.name]
        say(f"{variant.name} ...")
        trainer = self._trained(variant)
        unseen = self._means(trainer, variant.views.unseen)
        assert unseen
        photos = self._means(trainer, variant.views.test)
        row = Row(variant.name, variant.spec.macs_per_pixel, unseen, photos)
        self.rows[variant.name] = row
        say(f"{variant.name}: {unseen['psnr']:.2f} dB at unseen cameras")
        write_atomically(self.file, json.dumps({name: asdict(each) for name, each in self.rows.items()}).encode())
        return row

    def _trained(self, variant: AblationVariant) -> Distiller:
        job = self.job
        config = replace(job.config.distill, **variant.settings)
        trainer = Distiller(variant.spec, job.config.atlas.texels, config, job.seed, job.teacher.device)
        trainer.student.view_channels = variant.view_channels
        for texture in trainer.student.textures:
            texture.rounded = variant.rounded
        trainer.train(variant.sets, job.teacher.scene.background, self.folder / "variant.safetensors")
        return trainer

    def _means(self, trainer: Distiller, views: ViewSet | None) -> Means | None:
        if views is None:
            return None
        pairs = trainer.pictures(views, self.job.teacher.scene.background)
        return mean_of([self.metrics(*pair) for pair in pairs if np.isfinite(pair[1]).any()])


def _row(values: dict[str, Any]) -> Row:
    """The row of saved ``values``; raises for values of another kind."""
    unseen, photos = (
        means and {str(key): None if value is None else float(value) for key, value in means.items()}
        for means in (values["unseen"], values["photos"])
    )
    return Row(str(values["name"]), float(values["macs"]), unseen, photos)


def _check_needs(job: BakeJob, test: list[tuple[Photo, int]], workspace: Workspace) -> None:
    needed = needs(job)
    pixels = UNSEEN_VIEWS * (job.config.views.view_size + 2) ** 2
    pixels += sum(height * (photo.camera_at(height).width + 2) for photo, height in test)
    disk = 2 * (needed.disk + VIEW_BYTES * pixels)  # a second set of hits for one shell; some hits stay in memory
    Needs(needed.memory + disk, disk, needed.gpu).check(workspace.folder, job.teacher.device)


def _variants(job: BakeJob, both: Views, lone: Views) -> list[AblationVariant]:
    """The method itself, then its variants with one change each; ``lone``: views without the outer shell."""
    cnn = network_of(job)
    outer_only = both.each(_first_layer)
    inner_only = lone.each(_first_layer)
    narrow = both.each(_without_margin)
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
    spec = network_of(job)
    renderer = FastRenderer(job.teacher, grid, job.config.views.samples_in_cell(job.config.density.grid))
    distilled, _ = teacher_views(job, grid, rasterizer, spec, folder)
    cameras = cameras_of(job, EVALUATION_STREAM, UNSEEN_VIEWS, job.config.views.view_size)
    unseen = make_view_set(
        cameras, render_teacher(renderer, cameras, folder / "unseen"), rasterizer, spec, folder / "unseen-hits"
    )
    test_views = None
    if test:
        test_cameras, pictures, _ = read_pictures(test, folder / "test")
        test_views = make_view_set(test_cameras, pictures, rasterizer, spec, folder / "test-hits")
    return Views(distilled, photo_views(job, rasterizer, spec, folder), unseen, test_views)


def _first_layer(views: ViewSet, name: str) -> ViewSet:
    hits = [np.array(view) for view in views.hits]
    for view in hits:
        view[..., 2:4] = NOWHERE
    return replace(views, hits=hits)


def _without_margin(views: ViewSet, name: str) -> ViewSet:
    m = views.margin
    return replace(views, hits=[view[m:-m, m:-m, :6] for view in views.hits], margin=0)


def pixel_mlp(cnn: NetworkSpec) -> NetworkSpec:
    """A three-layer network of 1 x 1 convolutions, whose width gives about the multiply-adds of ``cnn``, at most 64."""
    outputs = 4 * cnn.channels_to_space**2
    costs = {w: cnn.inputs * w + w * w + w * outputs for w in range(4, MAX_CHANNELS + 1, 4)}
    width = min(costs, key=lambda w: abs(costs[w] - cnn.macs_per_pixel * cnn.channels_to_space**2))
    sides = [(cnn.inputs, width, "relu"), (width, width, "relu"), (width, outputs, "sigmoid")]
    return replace(cnn, reference=None, layers=tuple(ConvLayer(1, a, b, activation) for a, b, activation in sides))


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table; differences are relative to the first row."""
    titles = ["variant", "multiply-adds a pixel"]
    for views in ("unseen views", "test photos") if rows[0].photos else ("unseen views",):
        titles += [views, "difference", "SSIM", "LPIPS (VGG)"]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row in rows:
        cells = [row.name, f"{row.macs:.0f}"]
        for means, first in ((row.unseen, rows[0].unseen), (row.photos, rows[0].photos)):
            if means and first:
                cells += [
                    f"{means['psnr']:.2f} dB",
                    f"{(means['psnr'] or 0) - (first['psnr'] or 0):+.2f}",
                    f"{means['ssim']:.4f}",
                    "not measured" if means["lpips_vgg"] is None else f"{means['lpips_vgg']:.4f}",
                ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
