"""``duplex-bake``, as a user types it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import moderngl
import numpy as np
import pytest

from builders.bundles import parts_of
from builders.commands import BAKE, EVALUATE, SMALL, TINY, TINY_SETTINGS, call, one_sentence, run
from duplex.app.core.metrics import psnr
from duplex.app.render.frame import FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
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


@pytest.fixture(scope="module")
def around_photos(octahedron: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the octahedron, baked with the cameras of another scene's photos."""
    output = tmp_path_factory.mktemp("photos") / "x.bundle"
    result = run(BAKE, octahedron, "-o", output, "--data", data / "nerf_synthetic" / "chair", *TINY)
    assert result.returncode == 0, result.stderr
    return output


def check_photos(bundle: Bundle, count: int) -> None:
    """8 presets and ``count`` cameras of the dataset; 4 photos, each at one of those cameras."""
    assert len(bundle.cameras) == 8 + count and bundle.rig["dataset_cameras"] == count
    assert [reference.kind for reference in bundle.references] == ["teacher"] * 4 + ["photo"] * 4
    assert all(any(x.stands_at(camera, 1.0) for camera in bundle.cameras) for x in bundle.references[4:])


def test_baking_around_a_small_dataset(octahedron: Path, photos_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    result = run(BAKE, octahedron, "-o", output, "--data", photos_folder, *TINY)
    assert result.returncode == 0, result.stderr
    check_photos(read_bundle(output), 16)


@pytest.mark.slow
def test_baking_around_a_dataset(around_photos: Path) -> None:
    check_photos(read_bundle(around_photos), 100)


@pytest.mark.slow
def test_judging_a_bake_and_its_teacher_by_photos(around_photos: Path, octahedron: Path, data: Path) -> None:
    folder = data / "nerf_synthetic" / "chair"
    judged = run(
        EVALUATE,
        around_photos,
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
    judged = run(EVALUATE, around_photos, *both, "--no-lpips", "--json")
    photos = json.loads(judged.stdout)["photos"]
    teacher = load_teacher(octahedron)
    known = read_photos(folder, "test", teacher.scene.principal_shift)
    for photo, found in zip((known[0], known[-1]), photos["teacher"]["views"], strict=True):
        rgba, wanted = rendering.render(teacher, photo.camera.resized(32, 32)).numpy(), photo.rgba(32)[0]
        on_white = [x[..., :3] + 1 - x[..., 3:] for x in (rgba, wanted)]
        assert abs(found["psnr"] - psnr(*on_white)) < 0.05
    page = around_photos.with_name("x.report.html").read_text("utf-8")
    assert all(f"{x['psnr']:.4g}" in page for x in (photos, photos["teacher"]))
    fast = json.loads(run(EVALUATE, around_photos, *both, "--fast", "--no-lpips", "--json").stdout)
    assert fast["teacher_renderer"] == "fast" and fast["photos"]["views"] == photos["views"]
    for quick, standard in zip(fast["photos"]["teacher"]["views"], photos["teacher"]["views"], strict=True):
        assert quick != standard and abs(quick["psnr"] - standard["psnr"]) < 0.3
    alone = run(EVALUATE, around_photos, "--data", folder, "--teacher-photos")
    assert alone.returncode == 2 and "--teacher" in alone.stderr and "Traceback" not in alone.stderr


@pytest.mark.system
def test_wrong_input_of_the_bake_is_one_sentence(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    one_sentence(run(BAKE, tmp_path / "none.ckpt", "-o", output), "no such file")
    one_sentence(call(BAKE, octahedron, "-o", output, "--texels", 500), "--texels 500", "power of two")
    one_sentence(call(BAKE, octahedron, "-o", output, "--width", 18), "--width 18", "multiple of 4")
    one_sentence(call(BAKE, octahedron, "-o", output, "--device", "warp"), "--device warp")
    one_sentence(call(BAKE, octahedron, "-o", output, "--near", 9, "--far", 3), "near < far")
    one_sentence(call(BAKE, octahedron, "-o", output, "--data", tmp_path), "transforms_train.json")
    empty = call(BAKE, octahedron, "-o", output, "--bounds", 3, 3, 3, 4, 4, 4, *SMALL)
    one_sentence(empty, "no surface", "--bounds")


def test_a_crop_keeps_its_part_alone(octahedron: Path, tmp_path: Path, ctx: moderngl.Context) -> None:
    output = tmp_path / "half.bundle"
    result = run(BAKE, octahedron, "-o", output, *SMALL, "--crop", -2, -2, 0.2, 2, 2, 2)
    assert result.returncode == 0, result.stderr
    bundle = read_bundle(output)
    assert bundle.teacher["crop"] == [-2, -2, 0.2, 2, 2, 2]
    assert all(shell.mesh.positions[:, 2].min() > 0.1 for shell in (bundle.outer, bundle.inner))
    flags = ["--views", 2, "--size", 48, "--no-lpips", "--no-report", "--fast", "--json"]
    judged = run(EVALUATE, output, "--teacher", octahedron, *flags)
    assert judged.returncode == 0, judged.stderr
    quality = json.loads(judged.stdout)["teacher"]  # the teacher that it is compared with is cropped too
    assert quality["alpha_error"] < 0.05 and quality["psnr"] > 18


def test_impossible_parts_and_times_are_named(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    one_sentence(call(BAKE, octahedron, "-o", output, "--crop", "sphere:0,0,1"), "--crop sphere:0,0,1", "RADIUS")
    one_sentence(call(BAKE, octahedron, "-o", output, "--crop", 7, 7, 7, 8, 8, 8), "--crop 7 7 7 8 8 8: nothing")
    one_sentence(call(BAKE, octahedron, "-o", output, "--minutes", 0), "--minutes 0", "1 to 10000")
    assert list(tmp_path.iterdir()) == []


def test_a_bake_is_small_unless_told_otherwise(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    result = run(BAKE, octahedron, "-o", output, *TINY_SETTINGS)
    assert re.search(r"0\.0\d MB, .* unseen views \d+\.\d dB, \d+\.\d dB before compression", result.stdout), (
        result.stderr
    )
    bundle = read_bundle(output)
    assert {"compression", "distillation"} < bundle.report["seconds"].keys() and not bundle.references
    assert {"outer.charts", "inner.coarse"} < set(parts_of(output)) and output.stat().st_size < 100_000
    one_sentence(call(BAKE, octahedron, "-o", output, *TINY, "--megabytes", 1), "--megabytes 1", "--uncompressed")
