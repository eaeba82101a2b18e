"""The ablation study: the same scene distilled repeatedly, each time with one thing changed.

All variants share the bake's teacher views, steps and seed, unless these are what changes. The student's pictures are
scored in torch, which agrees with the viewer's shaders (``tests/parity``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import moderngl

from duplex.baking.datasets.photos import Photo
from duplex.baking.distill.views import VIEW_BYTES, ViewSet, make_view_set, read_pictures, render_teacher
from duplex.baking.evaluation.ablation.bench import Bench, Row
from duplex.baking.evaluation.ablation.ideas import without_ideas
from duplex.baking.evaluation.ablation.resources import with_more
from duplex.baking.evaluation.ablation.variants import Views
from duplex.baking.evaluation.metrics import Metrics
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.job import BakeJob, needs, network_of
from duplex.baking.pipeline import duplex_mesh
from duplex.baking.runtime.memory import Needs
from duplex.baking.runtime.workspace import Workspace
from duplex.baking.view_sets import EVALUATION_STREAM, cameras_of, photo_views, renderer_of, teacher_views

UNSEEN_VIEWS = 16  # of the training's size
LARGE_VIEWS = 4
LARGE = 4  # times the side of the training's pictures


class AblationWorkspace(Workspace):
    """The workspace of an ablation; its folder name differs from a bake's."""

    work = "ablation"
    content = "the table to write"
    suffix = ".ablating"


@dataclass(frozen=True)
class Study:
    """What an ablation compares.

    ``test``: photos that no variant trains on, each with the height in pixels at which it is compared; ``resources``:
    whether variants have more of a resource, or one idea less; ``views``, ``size``: number and side in pixels of the
    teacher's pictures to compare with.
    """

    test: list[tuple[Photo, int]]
    resources: bool
    views: int
    size: int


def study_of(job: BakeJob, test: list[tuple[Photo, int]], resources: bool) -> Study:
    """The study of ``job``: that of its ideas, or that of its ``resources`` at the size that people look at."""
    side = job.config.views.view_size
    return Study(test, True, LARGE_VIEWS, LARGE * side) if resources else Study(test, False, UNSEEN_VIEWS, side)


def ablate(job: BakeJob, study: Study, workspace: Workspace, ctx: moderngl.Context, metrics: Metrics) -> list[Row]:
    """Train and evaluate all variants, except those whose results are in ``workspace``."""
    _check_needs(job, study, workspace)
    grid, shells = duplex_mesh(job, workspace, ctx)
    both = _views(job, study, grid, Rasterizer(ctx, *shells), workspace.folder)
    bench = Bench(job, metrics, workspace.folder)
    if study.resources:
        return [bench.row(variant) for variant in with_more(job, grid, both, workspace.folder, ctx)]
    inner = Rasterizer(ctx, shells[1], shells[1])

    def without_outer(views: ViewSet, name: str) -> ViewSet:
        return make_view_set(views.cameras, views.pictures, inner, network_of(job), workspace.folder / f"lone-{name}")

    return [bench.row(variant) for variant in without_ideas(job, both, both.each(without_outer))]


def _check_needs(job: BakeJob, study: Study, workspace: Workspace) -> None:
    needed = needs(job)
    pixels = study.views * (study.size + 2) ** 2
    pixels += sum(height * (photo.camera_at(height).width + 2) for photo, height in study.test)
    sets = 3 if study.resources else 2  # hits on other shells; some hits stay in memory
    disk = sets * (needed.disk + VIEW_BYTES * pixels)
    Needs(needed.memory + disk, disk, needed.gpu).check(workspace.folder, job.teacher.device)


def _views(job: BakeJob, study: Study, grid: DensityGrid, rasterizer: Rasterizer, folder: Path) -> Views:
    spec = network_of(job)
    renderer = renderer_of(job, grid)
    distilled = teacher_views(job, renderer, rasterizer, folder)
    cameras = cameras_of(job, EVALUATION_STREAM, study.views, study.size)
    unseen = make_view_set(
        cameras, render_teacher(renderer, cameras, folder / "unseen"), rasterizer, spec, folder / "unseen-hits"
    )
    test_views = None
    if study.test:
        test_cameras, pictures, _ = read_pictures(study.test, folder / "test")
        test_views = make_view_set(test_cameras, pictures, rasterizer, spec, folder / "test-hits")
    return Views(distilled, photo_views(job, rasterizer, folder), unseen, test_views)
