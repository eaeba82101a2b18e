"""What a bake needs of the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.config import bake_config
from duplex.baking.datasets.photos import Photo
from duplex.baking.fields.spaces import Contracted
from duplex.baking.job import BakeJob, beside_photos, cropped, needs, with_surroundings, within_megabytes
from duplex.baking.rig import Rig
from duplex.baking.runtime.memory import GIB


def test_needs_grow_with_the_settings(octahedron: Path) -> None:
    teacher = load_teacher(octahedron)
    draft, high = (
        needs(BakeJob(teacher, bake_config(name, {}), Rig.from_scene(teacher.scene))) for name in ("draft", "high")
    )
    assert 2 < draft.memory / GIB < 3 and 0.4 < draft.disk / GIB < 0.6
    assert 4 < high.memory / GIB < 12 and 25 < high.disk / GIB < 28
    assert draft.gpu == 0


def test_photos_of_surroundings_replace_views_unless_told_otherwise(octahedron: Path, tmp_path: Path) -> None:
    teacher = load_teacher(octahedron)
    rig = Rig.from_scene(teacher.scene)
    unbounded = replace(teacher, scene=replace(teacher.scene, space=Contracted()))
    photo = Photo(rig.evenly(1, 64)[0], tmp_path / "a.png")
    job = BakeJob(unbounded, bake_config("draft", {}), rig, photos=(photo,))
    changed, kept = beside_photos(job, {}).config, beside_photos(job, {"views", "photo_share"}).config
    assert (changed.views.views, changed.distill.photo_steps, changed.distill.photo_share) == (180, 1.0, 0.75)
    assert (kept.views.views, kept.distill.photo_steps, kept.distill.photo_share) == (900, 1.0, 0.5)
    assert changed.shells == job.config.shells and changed.density == job.config.density
    assert beside_photos(replace(job, photos=()), {}).config == job.config  # nothing but views to learn from
    assert beside_photos(replace(job, teacher=teacher), {}).config == job.config  # an object


def test_surroundings_get_more_faces_on_a_finer_lattice(octahedron: Path) -> None:
    teacher = load_teacher(octahedron)
    unbounded = replace(teacher, scene=replace(teacher.scene, space=Contracted()))
    alone, around = (BakeJob(t, bake_config("draft", {}), Rig.from_scene(t.scene)) for t in (teacher, unbounded))
    found, kept = with_surroundings(around, {}).config, with_surroundings(around, {"faces", "position_bits"}).config
    assert with_surroundings(alone, {}) is alone and kept == around.config
    assert found.shells.faces == 2 * alone.config.shells.faces
    assert found.storage.position_bits == alone.config.storage.position_bits + 2


def test_meshes_leave_most_of_a_small_file_to_features(octahedron: Path) -> None:
    teacher = load_teacher(octahedron)
    job = BakeJob(teacher, bake_config("draft", {}), Rig.from_scene(teacher.scene))
    assert within_megabytes(job, {}) is job
    found = [within_megabytes(replace(job, megabytes=m), {}).config.shells.faces for m in (0.001, 0.15, 0.3, 5)]
    assert found[0] == 4000 and 11000 < found[1] < 12500 and found[2:] == [20000, 20000]
    assert within_megabytes(replace(job, megabytes=0.15), {"faces"}).config == job.config


def test_what_is_cropped_is_not_learned_from_photos(octahedron: Path, tmp_path: Path) -> None:
    teacher = load_teacher(octahedron)
    rig = Rig.from_scene(teacher.scene)
    photo = Photo(rig.evenly(1, 64)[0], tmp_path / "a.png")
    job = BakeJob(teacher, bake_config("draft", {}), rig, photos=(photo,))
    part = cropped(job, "sphere:0.5,0,0,1")
    assert cropped(job, None) is job
    assert part.photos == () and part.crop is not None and part.crop.numbers == (0.5, 0, 0, 1)
    around = cropped(replace(job, rig=replace(rig, poses=np.eye(4)[None])), [0, 0, 0, 1, 1, 2])
    assert around.rig.center.tolist() == [0.5, 0.5, 1]
    assert around.fingerprint() != part.fingerprint()
