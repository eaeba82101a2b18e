"""``duplex-bake``, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import moderngl
import numpy as np

from builders.commands import BAKE, EVALUATE, SMALL, one_sentence, run
from duplex.app.core.metrics import psnr
from duplex.app.render.frame import FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle_reader import read_bundle
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.datasets.reading import read_photos
from duplex.baking.fields import rendering


def test_a_bake_leaves_one_sound_bundle_and_nothing_else(baked: Path) -> None:
    bundle = read_bundle(baked)
    assert [file.name for file in baked.parent.iterdir()] == [baked.name]
    assert 0.2 < bundle.report["bracketing"] < 0.4 and bundle.report["missed"] < 0.01
    assert set(bundle.report["seconds"]) >= {"density", "teacher views", "distillation"}
    assert bundle.report["settings"]["distill"]["steps"] == 120
    assert bundle.teacher["family"] == "nerf-pytorch-flexible"


def test_a_bundle_carries_its_teachers_pictures(baked: Path, ctx: moderngl.Context) -> None:
    bundle = read_bundle(baked)
    renderer, background = Renderer(ctx, bundle), bundle.background
    assert [reference.kind for reference in bundle.references] == ["teacher"] * 4
    found = [
        psnr(
            renderer.image(x.camera, FrameOptions(background=(*background, 1.0)))[..., :3] / np.float32(255),
            x.over(background),
        )
        for x in bundle.references
    ]
    assert abs(np.mean(found) - bundle.report["curve"][-1][2]) < 0.5  # of the same pictures, in torch


def test_baking_around_a_dataset(octahedron: Path, data: Path, tmp_path: Path) -> None:
    folder = data / "nerf_synthetic" / "chair"
    small = [*SMALL[:-6], "--steps", "10", "--crop", "32", "--batch", "2"]
    result = run(BAKE, octahedron, "-o", tmp_path / "x.bundle", "--data", folder, *small)
    assert result.returncode == 0, result.stderr
    bundle = read_bundle(tmp_path / "x.bundle")
    assert len(bundle.cameras) == 8 + 100 and bundle.rig["dataset_cameras"] == 100
    assert [reference.kind for reference in bundle.references] == ["teacher"] * 4 + ["photo"] * 4
    assert all(any(x.stands_at(camera, 1.0) for camera in bundle.cameras) for x in bundle.references[4:])
    judged = run(
        EVALUATE,
        tmp_path / "x.bundle",
        "--teacher",
        octahedron,
        "--views",
        1,
        "--size",
        32,
        "--no-report",
        "--no-lpips",
    )
    assert judged.returncode == 0 and "PSNR" in judged.stdout
    both = ("--teacher", octahedron, "--data", folder, "--teacher-photos", "--views", 2, "--size", 32)
    judged = run(EVALUATE, tmp_path / "x.bundle", *both, "--no-lpips", "--json")
    photos = json.loads(judged.stdout)["photos"]
    teacher = load_teacher(octahedron)
    known = read_photos(folder, "test", teacher.scene.principal_shift)
    for photo, found in zip((known[0], known[-1]), photos["teacher"]["views"], strict=True):
        rgba, wanted = rendering.render(teacher, photo.camera.resized(32, 32)).numpy(), photo.rgba(32)[0]
        on_white = [x[..., :3] + 1 - x[..., 3:] for x in (rgba, wanted)]
        assert abs(found["psnr"] - psnr(*on_white)) < 0.05
    page = (tmp_path / "x.report.html").read_text("utf-8")
    assert all(f"{x['psnr']:.4g}" in page for x in (photos, photos["teacher"]))
    fast = json.loads(run(EVALUATE, tmp_path / "x.bundle", *both, "--fast", "--no-lpips", "--json").stdout)
    assert fast["teacher_renderer"] == "fast" and fast["photos"]["views"] == photos["views"]
    for quick, standard in zip(fast["photos"]["teacher"]["views"], photos["teacher"]["views"], strict=True):
        assert quick != standard and abs(quick["psnr"] - standard["psnr"]) < 0.3
    alone = run(EVALUATE, tmp_path / "x.bundle", "--data", folder, "--teacher-photos")
    assert alone.returncode == 2 and "--teacher" in alone.stderr and "Traceback" not in alone.stderr


def test_wrong_input_of_the_bake_is_one_sentence(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    one_sentence(run(BAKE, tmp_path / "none.ckpt", "-o", output), "no such file")
    one_sentence(run(BAKE, octahedron, "-o", output, "--texels", 500), "--texels 500", "power of two")
    one_sentence(run(BAKE, octahedron, "-o", output, "--width", 18), "--width 18", "multiple of 4")
    one_sentence(run(BAKE, octahedron, "-o", output, "--device", "warp"), "--device warp")
    one_sentence(run(BAKE, octahedron, "-o", output, "--near", 9, "--far", 3), "near < far")
    one_sentence(run(BAKE, octahedron, "-o", output, "--data", tmp_path), "transforms_train.json")
    empty = run(BAKE, octahedron, "-o", output, "--bounds", 3, 3, 3, 4, 4, 4, *SMALL)
    one_sentence(empty, "no surface", "--bounds")
