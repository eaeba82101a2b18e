"""What each idea is worth: the same scene distilled without it, everything else equal.

Geometry, views, steps and seed are those of the bake; a variant leaves out one thing. Whole pictures of the student
are scored in torch, which the viewer's shaders agree with (``tests/parity``), because no bundle holds some variants.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
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
    needed, judged = needs(job), UNSEEN_VIEWS * (job.config.views.view_size + 2) ** 2
    judged += sum(height * (photo.camera_at(height).width + 2) for photo, height in test)
    kept = 2 * (needed.disk + VIEW_BYTES * judged)  # hits anew for one shell, some of them in memory
    Needs(needed.memory + kept, kept, needed.gpu).check(workspace.folder, job.teacher.device)
    grid, shells = duplex_mesh(job, workspace, ctx)
    config, folder = job.config.distill, workspace.folder
    cnn = NetworkSpec.shallow(config.features, config.width)
    mlp = pixel_mlp(cnn)
    both = _views(job, test, grid, Rasterizer(ctx, *shells), folder)
    inner = Rasterizer(ctx, shells[1], shells[1])
    lone = both.each(lambda v, name: make_view_set(v.cameras, v.pictures, inner, v.margin, folder / f"lone-{name}"))
    distilled = [both.distilled]
    tuned = [both.distilled, both.photos] if both.photos else distilled

    file = folder / "rows.json"
    known = {k: Row(**v) for k, v in json.loads(file.read_text()).items()} if file.exists() else {}

    def row(
        name: str,
        sets: list[ViewSet],
        views: Views = both,
        spec: NetworkSpec = cnn,
        rounded: bool = True,
        view_channels: int = VIEW_CHANNELS,
        **settings: Any,
    ) -> Row:
        if name in known:
            return known[name]
        say(f"{name} ...")
        trainer = Distiller(spec, job.config.atlas.texels, replace(config, **settings), job.seed, job.teacher.device)
        trainer.student.view_channels = view_channels
        for texture in trainer.student.textures:
            texture.rounded = rounded
        background = job.teacher.scene.background
        trainer.train(sets, background, folder / "variant.safetensors")
        unseen, photos = (
            mean_of([metrics(*both) for both in trainer.pictures(judged, background) if np.isfinite(both[1]).any()])
            if judged
            else None
            for judged in (views.unseen, views.test)
        )
        assert unseen
        found = known[name] = Row(name, spec.macs_per_pixel, unseen, photos)
        say(f"{name}: {unseen['psnr']:.2f} dB at unseen cameras")
        write_atomically(file, json.dumps({key: asdict(value) for key, value in known.items()}).encode())
        return found

    outer_only, inner_only = both.each(_first_layer), lone.each(_first_layer)
    narrow = both.each(_without_margin)
    rows = [
        row("duplex, CNN, distilled", distilled),
        row("outer shell alone", [outer_only.distilled], outer_only),
        row("inner shell alone", [inner_only.distilled], inner_only),
        row("MLP for each pixel", [narrow.distilled], narrow, mlp),
        row("features not rounded to 8 bits", distilled, rounded=False),
        row("no view directions", distilled, view_channels=0),
        row("view directions as unit vectors", distilled, view_channels=3),
        row("view directions in the whole 3 x 3 window", distilled, spec=replace(cnn, view_kernel=3)),
        row("DSSIM joins the loss", distilled, structure_weight=STRUCTURE_WEIGHT),
    ]
    if both.photos:
        rows += [row("photos only, not distilled", [both.photos]), row("distilled, then fine-tuned on photos", tuned)]
    return rows


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
