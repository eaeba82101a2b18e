"""The whole bake, in order: :func:`bake` is the table of contents."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.files import write_atomically
from duplex.app.scene import glb
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.mesh import Mesh
from duplex.app.scene.network import NetworkSpec
from duplex.baking.distill.export import export_student, thumbnail
from duplex.baking.distill.references import references_of
from duplex.baking.distill.student import Student
from duplex.baking.distill.trainer import Distiller
from duplex.baking.distill.views import ViewSet, make_view_set, read_pictures, render_teacher
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.spaces import Space
from duplex.baking.geometry.atlas import unwrap
from duplex.baking.geometry.bracketing import bracketing, weigh
from duplex.baking.geometry.density import sample_density
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.geometry.object_density import object_density
from duplex.baking.geometry.seen import count_cameras, with_seen
from duplex.baking.geometry.shells import Viewpoints, extract_shells, in_world
from duplex.baking.job import HELD_OUT_VIEWS, BakeJob, needs, network_of, scaled_photos
from duplex.baking.provenance import Provenance, report_of
from duplex.baking.runtime.memory import GIB
from duplex.baking.runtime.progress import say
from duplex.baking.runtime.workspace import Workspace, is_stored, reading, stage

CARVING_VIEWS = 48
CARVING_SIZE = 72  # pixels a side
CULLING_VIEWS = 96
CULLING_SIZE = 400  # pixels along the shorter side
BRACKETING_VIEWS = 8
BRACKETING_RAYS = 4000
LEVEL_RAYS = 2000
PRESET_CAMERAS = 8
PRESET_SIZE = (800, 800)
# Each purpose draws its cameras from its own random stream, so that no two purposes share a camera.
VIEW_STREAM = 1
BRACKETING_STREAM = 2
EVALUATION_STREAM = 3
HELD_OUT_STREAM = 4
LEVEL_STREAM = 5
LARGER_STREAM = 6
LARGER = (2, 4)  # times the side of the other pictures
MAX_TRIES = 8  # windows that are looked at for each that is taken
PROBE_SIZE = 24  # pixels a side, at which a window is looked at
LEAST_SHOWN = 0.1  # share of the window


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
        cameras = cameras_of(job, BRACKETING_STREAM, BRACKETING_VIEWS, 200)
        bracketed = bracketing(weigh(job.teacher, cameras, BRACKETING_RAYS, job.seed), rasterizer)
    say(
        f"bracketing: {100 * bracketed.share:.1f}% of the teacher's weight lies between the shells, "
        f"{100 * bracketed.missed:.1f}% of its visible rays miss them"
    )
    spec = network_of(job)
    with stage("teacher views", workspace):
        views, held_out = teacher_views(job, grid, rasterizer, spec, workspace.folder)
    with stage("distillation", workspace) as save_seconds:
        photos = photo_views(job, rasterizer, spec, workspace.folder)
        sets = [views, photos] if photos else [views]
        shells, cameras = _with_seen(shells, rasterizer, sets, job)
        references = references_of(job.photos, held_out, job.config.views.view_size)
        trainer = Distiller(spec, job.config.atlas.texels, job.config.distill, job.seed, job.teacher.device)
        if is_stored(workspace.state):
            with reading(workspace.state):
                trainer.load(workspace.state)
            say(f"distillation goes on from step {trainer.step}")

        def finished() -> Bundle:
            facts = {"bracketing": bracketed.share, "missed": bracketed.missed, "curve": trainer.curve}
            bundle = _finished(job, trainer.student, shells, workspace.seconds, facts, ctx)
            return dataclasses.replace(bundle, references=references, rig=bundle.rig | job.rig.reach(cameras))

        def after_save() -> None:
            save_seconds()
            if preview:
                write_atomically(preview, write_bundle(finished()))

        trainer.train(sets, job.teacher.scene.background, workspace.state, held_out, after_save)
        del sets, views, photos, held_out  # they map files that workspace.remove deletes
    bundle = finished()
    write_atomically(output, write_bundle(bundle))
    workspace.remove()
    return bundle


def _check_needs(job: BakeJob, folder: Path) -> None:
    needed = needs(job)
    needed.check(folder, job.teacher.device)
    gpu = f", {needed.gpu / GIB:.1f} GiB on {job.teacher.device}" if needed.gpu else ""
    disk = f"{needed.disk / GIB:.1f} GiB in {folder}"
    say(f"needs up to {needed.memory / GIB:.1f} GiB of memory{gpu}, and {disk}")


def duplex_mesh(job: BakeJob, workspace: Workspace, ctx: moderngl.Context) -> tuple[DensityGrid, tuple[Mesh, Mesh]]:
    """The density grid, and the outer and inner shell extracted from it, with texture coordinates."""
    with stage("density", workspace):
        grid = workspace.load_or_make("density", lambda: density_of(job), _grid_to_arrays, _grid_from_arrays)
    with stage("shells and atlas", workspace):
        shells = workspace.load_or_make(
            "shells", lambda: shells_of(job, grid, ctx), _shells_to_arrays, _shells_from_arrays
        )
    return grid, shells


def teacher_views(
    job: BakeJob, grid: DensityGrid, rasterizer: Rasterizer, spec: NetworkSpec, folder: Path
) -> tuple[ViewSet, ViewSet]:
    """The teacher's views for training, and the held-out views that measure quality during training."""
    config = job.config.views
    renderer = FastRenderer(job.teacher, grid, config.samples_in_cell(grid, job.teacher.fine.cell()))
    rng = np.random.default_rng([job.seed, VIEW_STREAM])
    windows = job.rig.windows(config.views, config.view_size, config.window_size, rng, config.near_share)
    cameras = {
        "views": [*windows, *_larger_windows(job, rasterizer)],
        "held-out": cameras_of(job, HELD_OUT_STREAM, HELD_OUT_VIEWS, config.view_size),
    }
    first, second = (
        make_view_set(part, render_teacher(renderer, part, folder / name), rasterizer, spec, folder / f"{name}-hits")
        for name, part in cameras.items()
    )
    return first, second


def _larger_windows(job: BakeJob, rasterizer: Rasterizer) -> list[Camera]:
    """Windows of larger pictures which show the scene, for what only a large picture resolves.

    They are added to the other views: in their place the network would learn too little of the whole.
    """
    config = job.config.views
    rng = np.random.default_rng([job.seed, LARGER_STREAM])
    chosen: list[Camera] = []
    for i, factor in enumerate(LARGER):
        wanted = config.larger * (i + 1) // len(LARGER)
        for _ in range(MAX_TRIES * config.larger):
            if len(chosen) >= wanted:
                break
            (camera,) = job.rig.windows(1, factor * config.view_size, config.window_size, rng, 0.0)
            outer, _ = rasterizer.layers(camera.resized(PROBE_SIZE, PROBE_SIZE))
            if (outer.face >= 0).mean() > LEAST_SHOWN:
                chosen.append(camera)
    return chosen


def photo_views(job: BakeJob, rasterizer: Rasterizer, spec: NetworkSpec, folder: Path) -> ViewSet | None:
    """The photos to train on, at several scales; None without photos, or if all are smaller than a crop."""
    scaled = scaled_photos(job)
    if not scaled:
        return None
    cameras, pictures, opacity = read_pictures(scaled, folder / "photos")
    return replace(make_view_set(cameras, pictures, rasterizer, spec, folder / "photo-hits"), opacity=opacity)


def _with_seen(
    shells: tuple[Mesh, Mesh], rasterizer: Rasterizer, sets: list[ViewSet], job: BakeJob
) -> tuple[tuple[Mesh, Mesh], list[Camera]]:
    """The shells with the values that say what the cameras of all views have seen of them, and these cameras."""
    every = [c for views in sets for c in views.cameras if job.rig.trained_from(c)]  # a photo's largest scale is first
    cameras = list({camera.camera_to_world.tobytes(): camera for camera in reversed(every)}.values())
    reference = job.rig.reference_view(job.config.views.view_size)
    counts = count_cameras(rasterizer, cameras)
    outer, inner = (with_seen(shell, count, reference) for shell, count in zip(shells, counts, strict=True))
    return (outer, inner), cameras


def density_of(job: BakeJob) -> DensityGrid:
    """The teacher's density grid; density that only draws the background is carved away."""
    cameras = [*job.rig.evenly(CARVING_VIEWS, CARVING_SIZE)]
    if job.dataset:
        cameras = job.rig.cameras(CARVING_VIEWS, CARVING_SIZE, np.random.default_rng([job.seed, 0]))
    if job.rig.surrounded:  # density around the cameras is the scene, not a backdrop
        return sample_density(job.teacher, None, job.config.density)
    return object_density(job.teacher, job.config.density, cameras, job.photos)


def shells_of(job: BakeJob, grid: DensityGrid, ctx: moderngl.Context) -> tuple[Mesh, Mesh]:
    """The outer and the inner shell of ``grid`` with texture coordinates, in the world, as a bundle stores them."""
    cameras = job.rig.evenly(CULLING_VIEWS, CULLING_SIZE)
    if job.dataset:
        chosen = np.linspace(0, len(job.dataset) - 1, min(CULLING_VIEWS, len(job.dataset))).round().astype(int)
        for camera in (job.dataset[i] for i in chosen):  # whole pictures, evenly spread over the capture
            scale = CULLING_SIZE / min(camera.width, camera.height)
            sides = (min(round(scale * side), 4 * CULLING_SIZE) for side in (camera.width, camera.height))
            cameras.append(camera.resized(*sides))
    viewpoints = Viewpoints(cameras, job.rig.elsewhere(CULLING_VIEWS // 2, CULLING_SIZE))
    space = job.teacher.scene.space
    share_of = None
    if not job.config.shells.inner_opacity:
        weighed = weigh(job.teacher, cameras_of(job, LEVEL_STREAM, BRACKETING_VIEWS, 200), LEVEL_RAYS, job.seed)

        def share_of(rasterizer: Rasterizer) -> float:
            return bracketing(weighed, rasterizer).share

    outer, inner = (
        # rounded as in the bundle, so that training and viewer draw the same triangles
        _stored(unwrap(shell, job.config.atlas), space)
        for shell in extract_shells(grid, viewpoints, job.config.shells, ctx, space, share_of)
    )
    say(f"shells: {len(outer.faces)} outer and {len(inner.faces)} inner faces")
    return outer, inner


def _stored(shell: Mesh, space: Space) -> Mesh:
    world = in_world(shell, space)
    return glb.read(glb.write(replace(world, positions=world.positions.astype(np.float32))), "shell")


def cameras_of(job: BakeJob, stream: int, count: int, size: int, near_share: float = 0.0) -> list[Camera]:
    """``count`` square cameras of ``size`` pixels from the rig; the same ``stream`` gives the same cameras."""
    return job.rig.cameras(count, size, np.random.default_rng([job.seed, stream]), near_share)


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
    bundle = dataclasses.replace(
        export_student(student, shells),
        background=scene.background,
        up=scene.up,
        to_checkpoint=np.array(scene.to_checkpoint or np.eye(4)).reshape(4, 4),
        to_dataset=job.to_dataset,
        rig={**job.rig.to_json(), "dataset_cameras": len(job.dataset)},
        cameras=(*job.rig.path().cameras(PRESET_CAMERAS, *PRESET_SIZE), *job.dataset),
        teacher=Provenance.of(teacher).to_json(),
        report=report_of(job, seconds, facts),
    )
    return dataclasses.replace(bundle, thumbnail=thumbnail(ctx, bundle))


def _grid_to_arrays(grid: DensityGrid) -> dict[str, Array]:
    cleared = {} if grid.cleared is None else {"cleared": grid.cleared}
    return {"sigma": grid.sigma, "low": grid.low, "step": np.array([grid.step]), **cleared}


def _grid_from_arrays(arrays: dict[str, Array]) -> DensityGrid:
    sigma, low, step = arrays["sigma"], arrays["low"], float(arrays["step"][0])
    known = sigma.ndim == 3 and sigma.dtype == np.float32 and low.shape == (3,) and min(sigma.shape) > 1
    if not known or not (np.isfinite(sigma).all() and np.isfinite(low).all() and 0 < step < math.inf):
        raise ValueError("not a density grid")
    cleared = arrays.get("cleared")
    if cleared is not None and (cleared.shape != sigma.shape or cleared.dtype != bool):
        raise ValueError("not the cleared samples of a density grid")
    return DensityGrid(sigma, low, step, cleared)


def _shells_to_arrays(shells: tuple[Mesh, Mesh]) -> dict[str, Array]:
    return {
        f"{i}.{key}": value
        for i, shell in enumerate(shells)
        for key, value in (("positions", shell.positions), ("faces", shell.faces), ("uvs", shell.uvs))
    }


def _shells_from_arrays(arrays: dict[str, Array]) -> tuple[Mesh, Mesh]:
    first, second = (Mesh(arrays[f"{i}.positions"], arrays[f"{i}.uvs"], arrays[f"{i}.faces"]) for i in range(2))
    for shell in (first, second):
        count = len(shell.positions)
        shapes = (shell.positions.shape, shell.uvs.shape, shell.faces.shape[1:])
        numbers = np.isfinite(shell.positions).all() and np.isfinite(shell.uvs).all()
        indices = shell.faces.dtype.kind in "iu" and shell.faces.size > 0
        if shapes != ((count, 3), (count, 2), (3,)) or not numbers or not indices:
            raise ValueError("not a mesh")
        if not 0 <= int(shell.faces.min()) <= int(shell.faces.max()) < count:
            raise ValueError("not the indices of vertices")
    return first, second
