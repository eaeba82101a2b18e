"""Where the loss to the teacher is: the same scene distilled with more of one resource at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import moderngl

from duplex.baking.distill.views import ViewSet, make_view_set
from duplex.baking.evaluation.ablation.variants import AblationVariant, Views
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.job import BakeJob, network_of
from duplex.baking.pipeline import density_of, shells_of


def with_more(
    job: BakeJob, grid: DensityGrid, both: Views, folder: Path, ctx: moderngl.Context
) -> list[AblationVariant]:
    """The bake of ``job``, then its variants with more of one resource each, and one with half of the views.

    ``grid``: the job's density; ``both``: its views; hits on other shells are stored in ``folder``.
    """
    spec, distill = network_of(job), job.config.distill

    def on_shells_of(changed: BakeJob, density: DensityGrid, name: str) -> Views:
        rasterizer = Rasterizer(ctx, *shells_of(changed, density, ctx))

        def hits(views: ViewSet, part: str) -> ViewSet:
            return make_view_set(views.cameras, views.pictures, rasterizer, spec, folder / f"{name}-{part}")

        return both.each(hits)

    def plain(name: str, **changes: Any) -> AblationVariant:
        return replace(AblationVariant(name, [both.distilled], both, spec), **changes)

    def reshaped(name: str, views: Views) -> AblationVariant:
        return AblationVariant(name, [views.distilled], views, spec)

    faces = _changed(job, "shells", faces=2 * job.config.shells.faces)
    finer = _changed(job, "density", grid=3 * job.config.density.grid // 2)
    return [
        plain("as baked"),
        plain("half of the views", sets=[_half(both.distilled)]),
        plain("twice the steps", settings={"steps": 2 * distill.steps}),
        plain("texels half as wide", texels=2 * job.config.atlas.texels),
        plain("network twice as wide", spec=network_of(_changed(job, "distill", width=2 * distill.width))),
        plain("features not rounded to 8 bits", rounded=False),
        reshaped("twice the faces", on_shells_of(faces, grid, "faces")),
        reshaped("shells of a density grid 1.5 times as fine", on_shells_of(finer, density_of(finer), "finer")),
    ]


def _changed(job: BakeJob, stage: str, **settings: Any) -> BakeJob:
    """``job`` with other ``settings`` of one stage."""
    config = replace(job.config, **{stage: replace(getattr(job.config, stage), **settings)})
    return replace(job, config=config)


def _half(views: ViewSet) -> ViewSet:
    """Every second view."""
    return replace(
        views,
        cameras=views.cameras[::2],
        pictures=views.pictures[::2],
        hits=views.hits[::2],
        opacity=views.opacity[::2],
    )
