"""The whole bake, in order: :func:`bake` is the table of contents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.files import write_atomically
from duplex.app.scene import glb
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.mesh import Mesh
from duplex.baking.compression.packing import Compression, stored_meshes
from duplex.baking.compression.tuning import Tuner, features_within
from duplex.baking.distill.export import export_student, thumbnail
from duplex.baking.distill.references import references_of
from duplex.baking.distill.student import Student
from duplex.baking.distill.trainer import Distiller
from duplex.baking.distill.views import ViewSet
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.geometry.atlas import unwrap
from duplex.baking.geometry.bracketing import Bracketing, bracketing, weigh
from duplex.baking.geometry.density import sample_density
from duplex.baking.geometry.dome import cut_around
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.geometry.object_density import object_density
from duplex.baking.geometry.seen import AROUND, FADING, count_cameras, pixels_covered, with_seen
from duplex.baking.geometry.shells import Viewpoints, extract_shells, in_world, shells_from_arrays, shells_to_arrays
from duplex.baking.job import BakeJob, needs, network_of
from duplex.baking.plan import TUNING_COST, Pace, Plan, plan, seconds_a_step, seconds_a_view, told
from duplex.baking.provenance import Provenance, report_of
from duplex.baking.runtime.memory import GIB
from duplex.baking.runtime.progress import say
from duplex.baking.runtime.workspace import Workspace, is_stored, reading, stage
from duplex.baking.view_sets import (
    BRACKETING_STREAM,
    LEVEL_STREAM,
    PER_TRIAL,
    TRIAL_STREAM,
    TRIAL_VIEWS,
    cameras_of,
    held_out_views,
    photo_views,
    renderer_of,
    teacher_views,
)

CARVING_VIEWS = 48
CARVING_SIZE = 72  # pixels a side
CULLING_VIEWS = 96
CULLING_SIZE = 400  # pixels along the shorter side
BEYOND_PHOTOS = 0.2  # of that: what lies beside the photos of surroundings, and comes into view between them
BRACKETING_VIEWS = 8
BRACKETING_RAYS = 4000
LEVEL_RAYS = 2000
PRESET_CAMERAS = 8
PRESET_SIZE = (800, 800)


def bake(
    job: BakeJob, output: Path, workspace: Workspace, ctx: moderngl.Context, preview: Path | None = None
) -> Bundle:
    """Bake ``job`` into the bundle ``output``; stages whose results are in ``workspace`` are skipped.

    ``preview``: where to write a bundle of the intermediate result each time the training state is saved.
    """
    _check_needs(job, workspace.folder)
    grid, shells = duplex_mesh(job, workspace, ctx)
    rasterizer = Rasterizer(ctx, *shells)
    with stage("bracketing", workspace):
        bracketed = _bracketed(job, rasterizer)
    renderer = renderer_of(job, grid)
    with stage("plan", workspace) as save_seconds:
        held_out = held_out_views(job, renderer, rasterizer, workspace.folder)
        photos = photo_views(job, rasterizer, workspace.folder)
        sets = [held_out, photos] if photos else [held_out]
        job = planned(job, renderer, sets, workspace, save_seconds)
        needs(job).check(workspace.folder, job.teacher.device)
    with stage("teacher views", workspace):
        sets[0] = views = teacher_views(job, renderer, rasterizer, workspace.folder)
    with stage("distillation", workspace) as save_seconds:
        shells, cameras = _with_seen(shells, rasterizer, sets, job)
        references = references_of(job.photos, held_out, job.config.views.view_size)
        trainer = distiller_of(job)
        if is_stored(workspace.state):
            with reading(workspace.state):
                trainer.load(workspace.state)
            say(f"distillation goes on from step {trainer.step}")

        def finished() -> Bundle:
            save_seconds()
            facts = {"bracketing": bracketed.share, "missed": bracketed.missed, "curve": trainer.curve}
            bundle = _finished(job, trainer.student, shells, workspace.seconds, facts, ctx)
            return dataclasses.replace(bundle, references=references, rig=bundle.rig | job.rig.reach(cameras))

        def after_save() -> None:
            save_seconds()
            if preview:
                write_atomically(preview, write_bundle(finished()))

        trainer.train(sets, job.teacher.scene.background, workspace.state, held_out, after_save)
    with stage("compression", workspace) as save_seconds:
        small = job.compressed and _compressed(job, trainer, finished, sets, held_out, ctx)
        write_atomically(output, small or write_bundle(finished()))
    del sets, views, photos, held_out  # they map files that workspace.remove deletes
    workspace.remove()
    return read_bundle(output, trusted=True)  # it was written here


def _compressed(
    job: BakeJob,
    trainer: Distiller,
    finished: Callable[[], Bundle],
    sets: list[ViewSet],
    held_out: ViewSet,
    ctx: moderngl.Context,
) -> bytes:
    """The bytes of a small file, after features and network have learned to be small."""
    config, background = job.config, job.teacher.scene.background
    bundle = finished()
    compression = Compression(bundle, config.storage, ctx)
    tuner = Tuner(trainer, bundle.shells, config.tuning, config.storage.feature_step)
    tuner.train(sets, background, features_within(job.megabytes, compression.fixed))
    stored = finished()
    stored = replace(stored, report=stored.report | {"stored_psnr": trainer.unseen(held_out, background)})
    return compression.file_within(tuner.packed, config.storage.feature_step, job.megabytes, stored)


def _bracketed(job: BakeJob, rasterizer: Rasterizer) -> Bracketing:
    cameras = cameras_of(job, BRACKETING_STREAM, BRACKETING_VIEWS, 200)
    found = bracketing(weigh(job.teacher, cameras, BRACKETING_RAYS, job.seed), rasterizer)
    say(
        f"bracketing: {100 * found.share:.1f}% of the teacher's weight lies between the shells, "
        f"{100 * found.missed:.1f}% of its visible rays miss them"
    )
    return found


def _check_needs(job: BakeJob, folder: Path) -> None:
    needed = needs(job)
    needed.check(folder, job.teacher.device)
    gpu = f", {needed.gpu / GIB:.1f} GiB on {job.teacher.device}" if needed.gpu else ""
    disk = f"{needed.disk / GIB:.1f} GiB in {folder}"
    say(f"needs up to {needed.memory / GIB:.1f} GiB of memory{gpu}, and {disk}")


def duplex_mesh(job: BakeJob, workspace: Workspace, ctx: moderngl.Context) -> tuple[DensityGrid, tuple[Mesh, Mesh]]:
    """The density grid, and the outer and inner shell extracted from it, with texture coordinates."""
    with stage("density", workspace):
        grid = workspace.load_or_make(
            "density", lambda: density_of(job), DensityGrid.to_arrays, DensityGrid.from_arrays
        )
    with stage("shells and atlas", workspace):
        shells = workspace.load_or_make(
            "shells", lambda: shells_of(job, grid, ctx), shells_to_arrays, shells_from_arrays
        )
    return grid, shells


def distiller_of(job: BakeJob) -> Distiller:
    """The training of the job's student, from its beginning."""
    texels, config = job.config.atlas.texels, job.config.distill
    return Distiller(network_of(job), texels, config, job.seed, job.teacher.device, job.dome is not None)


def planned(
    job: BakeJob, renderer: FastRenderer, sets: list[ViewSet], workspace: Workspace, save_seconds: Callable[[], None]
) -> BakeJob:
    """``job`` with the views and steps of the plan, which is made now unless the workspace keeps one.

    ``sets``: views on which steps of the training are tried; ``save_seconds``: tells the workspace the time so far.
    """
    config = job.config
    smaller = config.tuning.rate_steps / config.distill.steps if job.compressed else 0.0

    def made() -> Plan:
        rng = np.random.default_rng([job.seed, TRIAL_STREAM])
        size, side = config.views.view_size, config.views.window_size
        count = min(max(config.views.views // PER_TRIAL, 2), TRIAL_VIEWS)
        windows = job.rig.windows(count, size, side, rng, config.views.near_share)
        step = (1 + TUNING_COST * smaller) * seconds_a_step(distiller_of(job), sets)
        pace = Pace(seconds_a_view(renderer, windows), step)
        save_seconds()
        left = 60 * job.minutes - sum(workspace.seconds.values()) if job.minutes else None
        return told(plan(config.views, config.distill, pace, left), config.views)

    found = workspace.load_or_make("plan", made, Plan.to_arrays, Plan.from_arrays)
    views, distill = replace(config.views, views=found.views), replace(config.distill, steps=found.steps)
    tuning = replace(config.tuning, rate_steps=round(smaller * found.steps))
    return replace(job, config=replace(config, views=views, distill=distill, tuning=tuning))


def _with_seen(
    shells: tuple[Mesh, Mesh], rasterizer: Rasterizer, sets: list[ViewSet], job: BakeJob
) -> tuple[tuple[Mesh, Mesh], list[Camera]]:
    """The shells with the values that say what the cameras of all views have seen of them, and these cameras."""
    every = [c for views in sets for c in views.cameras if job.rig.trained_from(c)]  # a photo's largest scale is first
    cameras = list({camera.camera_to_world.tobytes(): camera for camera in reversed(every)}.values())
    reference = job.rig.reference_view(job.config.views.view_size)
    counts = count_cameras(rasterizer, cameras)
    outer, inner = (
        with_seen(shell, count, reference, AROUND if job.dome else FADING)
        for shell, count in zip(shells, counts, strict=True)
    )
    return (outer, inner), cameras


def density_of(job: BakeJob) -> DensityGrid:
    """The teacher's density grid; density that only draws the background is carved away, and what is cropped."""
    teacher, config, crop = job.teacher, job.config.density, job.crop
    space = teacher.scene.space
    if job.rig.surrounded:  # density around the cameras is the scene, not a backdrop
        select = None if crop is None else lambda scan, solid: crop.of_scan(scan, solid, space)
        grid = sample_density(teacher, None, config, select)
    else:
        cameras = [*job.rig.evenly(CARVING_VIEWS, CARVING_SIZE)]
        if job.dataset:
            cameras = job.rig.cameras(CARVING_VIEWS, CARVING_SIZE, np.random.default_rng([job.seed, 0]))
        grid = object_density(teacher, config, cameras, job.photos, crop)
    return grid if crop is None else crop.applied(grid, space)


def shells_of(job: BakeJob, grid: DensityGrid, ctx: moderngl.Context) -> tuple[Mesh, Mesh]:
    """The outer and the inner shell of ``grid`` with texture coordinates, in the world, as a bundle stores them."""
    cameras = job.rig.evenly(CULLING_VIEWS, CULLING_SIZE)
    if job.dataset:
        chosen = np.linspace(0, len(job.dataset) - 1, min(CULLING_VIEWS, len(job.dataset))).round().astype(int)
        for camera in (job.dataset[i] for i in chosen):  # whole pictures, evenly spread over the capture
            scale = CULLING_SIZE / min(camera.width, camera.height)
            sides = (min(round(scale * side), 4 * CULLING_SIZE) for side in (camera.width, camera.height))
            beyond = round(BEYOND_PHOTOS * CULLING_SIZE) if job.dome else 0
            cameras.append(camera.resized(*sides).padded(beyond))
    elsewhere = job.rig.elsewhere(CULLING_VIEWS // 2, CULLING_SIZE)
    viewpoints = Viewpoints(cameras, elsewhere, job.dome is not None)
    space = job.teacher.scene.space
    share_of = None
    if not job.config.shells.inner_opacity:
        weighed = weigh(job.teacher, cameras_of(job, LEVEL_STREAM, BRACKETING_VIEWS, 200), LEVEL_RAYS, job.seed)

        def share_of(rasterizer: Rasterizer) -> float:
            return bracketing(weighed, rasterizer).share

    shells = extract_shells(grid, viewpoints, job.config.shells, ctx, space, share_of)
    pixels: tuple[Array | None, Array | None] = (None, None)
    if job.dome:
        pixels = pixels_covered(Rasterizer(ctx, *(in_world(shell, space) for shell in shells)), viewpoints.own)
    unwrapped = [unwrap(shell, job.config.atlas, covered) for shell, covered in zip(shells, pixels, strict=True)]
    outer, inner = _as_stored(job, [in_world(shell, space) for shell in unwrapped])
    say(f"shells: {len(outer.faces)} outer and {len(inner.faces)} inner faces")
    return outer, inner


def _as_stored(job: BakeJob, shells: list[Mesh]) -> list[Mesh]:
    """The ``shells`` rounded as in the bundle, so that training and viewer draw the same triangles."""
    shells = [replace(shell, positions=shell.positions.astype(np.float32)) for shell in shells]
    if not job.compressed:
        return [glb.read(glb.write(shell), "shell") for shell in shells]
    return stored_meshes(shells, job.teacher.scene.space, job.config.atlas.texels, job.config.storage.position_bits)


def _finished(
    job: BakeJob,
    student: Student,
    shells: tuple[Mesh, Mesh],
    seconds: dict[str, float],
    facts: dict[str, Any],
    ctx: moderngl.Context,
) -> Bundle:
    teacher = job.teacher
    scene = teacher.scene
    bundle = export_student(student, shells)
    if job.dome:
        outer, inner = (replace(s, mesh=cut_around(s.mesh, job.dome)) for s in (bundle.outer, bundle.inner))
        bundle = replace(bundle, outer=outer, inner=inner)
    bundle = dataclasses.replace(
        bundle,
        background=scene.background,
        up=scene.up,
        to_checkpoint=np.array(scene.to_checkpoint or np.eye(4)).reshape(4, 4),
        to_dataset=job.to_dataset,
        rig={**job.rig.to_json(), "dataset_cameras": len(job.dataset)},
        cameras=(*job.rig.path().cameras(PRESET_CAMERAS, *PRESET_SIZE), *job.dataset),
        teacher=Provenance.of(teacher, job.crop).to_json(),
        report=report_of(job, seconds, facts),
    )
    return dataclasses.replace(bundle, thumbnail=thumbnail(ctx, bundle))
