"""From a checkpoint to a judged bundle by the commands that a user types, interrupted and out of luck included."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.app.render.frame import FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import read_bundle
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.datasets.reading import read_photos
from duplex.baking.evaluation.evaluate import Reference, as_baked, config_of, overrides_of
from duplex.baking.fields import rendering

SMALL = ["--grid", "64", "--scan", "32", "--faces", "3000", "--texels", "128", "--views", "24", "--view-size", "64",
         "--steps", "120", "--crop", "32", "--batch", "8"]  # fmt: skip


def command(module: str, *arguments: object) -> list[str]:
    call = f"import sys; from duplex.{module} import main; sys.exit(main())"
    return [sys.executable, "-c", call, *map(str, arguments)]


def run(module: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(module, *arguments), capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload,no-any-return]


def one_sentence(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and "Traceback" not in result.stderr, result.stderr
    assert all(word in lines[0] for word in words), lines[0]


@pytest.fixture(scope="module")
def baked(octahedron: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("bake") / "scene.bundle"
    result = run("baking.cli", octahedron, "-o", output, *SMALL)
    assert result.returncode == 0, result.stderr
    assert "bracketing" in result.stdout
    return output


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


def test_evaluation_prints_one_json_object(baked: Path, octahedron: Path) -> None:
    result = run(
        "baking.evaluate_cli", baked, "--teacher", octahedron, "--views", 3, "--size", 64, "--json", "--no-lpips"
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert list(report) == ["teacher", "photos", "bundle_bytes", "faces", "texels", "macs_per_pixel", "bracketing"]
    assert report["photos"] is None
    assert len(report["teacher"]["views"]) == 3
    assert report["teacher"]["psnr"] > 22 and 0.8 < report["teacher"]["ssim"] <= 1
    assert report["bundle_bytes"] == baked.stat().st_size
    assert report["texels"] == 2 * 128 * 128


def test_evaluation_against_photos(baked: Path, data: Path) -> None:
    folder = data / "nerf_synthetic" / "chair"
    result = run("baking.evaluate_cli", baked, "--data", folder, "--views", 2, "--size", 50, "--json", "--no-lpips")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["teacher"] is None and len(report["photos"]["views"]) == 2


def test_baking_around_a_dataset(octahedron: Path, data: Path, tmp_path: Path) -> None:
    folder = data / "nerf_synthetic" / "chair"
    small = [*SMALL[:-6], "--steps", "10", "--crop", "32", "--batch", "2"]
    result = run("baking.cli", octahedron, "-o", tmp_path / "x.bundle", "--data", folder, *small)
    assert result.returncode == 0, result.stderr
    bundle = read_bundle(tmp_path / "x.bundle")
    assert len(bundle.cameras) == 8 + 100 and bundle.rig["dataset_cameras"] == 100
    assert [reference.kind for reference in bundle.references] == ["teacher"] * 4 + ["photo"] * 4
    assert all(any(x.stands_at(camera, 1.0) for camera in bundle.cameras) for x in bundle.references[4:])
    judged = run(
        "baking.evaluate_cli",
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
    judged = run("baking.evaluate_cli", tmp_path / "x.bundle", *both, "--no-lpips", "--json")
    photos = json.loads(judged.stdout)["photos"]
    teacher = load_teacher(octahedron)
    known = read_photos(folder, "test", teacher.scene.principal_shift)
    for photo, found in zip((known[0], known[-1]), photos["teacher"]["views"], strict=True):
        rgba, wanted = rendering.render(teacher, photo.camera.resized(32, 32)).numpy(), photo.rgba(32)[0]
        on_white = [x[..., :3] + 1 - x[..., 3:] for x in (rgba, wanted)]
        assert abs(found["psnr"] - psnr(*on_white)) < 0.05
    page = (tmp_path / "x.report.html").read_text("utf-8")
    assert all(f"{x['psnr']:.4g}" in page for x in (photos, photos["teacher"]))
    fast = json.loads(run("baking.evaluate_cli", tmp_path / "x.bundle", *both, "--fast", "--no-lpips", "--json").stdout)
    assert fast["teacher_renderer"] == "fast" and fast["photos"]["views"] == photos["views"]
    for quick, standard in zip(fast["photos"]["teacher"]["views"], photos["teacher"]["views"], strict=True):
        assert quick != standard and abs(quick["psnr"] - standard["psnr"]) < 0.3
    alone = run("baking.evaluate_cli", tmp_path / "x.bundle", "--data", folder, "--teacher-photos")
    assert alone.returncode == 2 and "--teacher" in alone.stderr and "Traceback" not in alone.stderr


def test_killed_and_resumed(octahedron: Path, baked: Path, tmp_path: Path) -> None:
    output, preview = tmp_path / "scene.bundle", tmp_path / "watched" / "preview.bundle"
    preview.parent.mkdir()
    output.write_bytes(b"the old bundle")
    kills = []
    for wait_for in ("scene.bundle.baking/shells.safetensors", "watched/preview.bundle"):
        resume = ["--resume"] if (tmp_path / "scene.bundle.baking").exists() else []
        arguments = command("baking.cli", octahedron, "-o", output, *SMALL, *resume, "--preview", preview)
        arguments[2] = "import duplex.baking.distill.trainer as d; d.SAVE_SECONDS = 0; " + arguments[2]
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not (tmp_path / wait_for).exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        kills.append(time.time_ns())
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert output.read_bytes() == b"the old bundle"
    assert read_bundle(preview).network == read_bundle(baked).network  # a whole bundle of what was learned until then
    (tmp_path / "scene.bundle.baking" / ".views.1.unfinished").write_bytes(b"half")
    one_sentence(run("baking.cli", octahedron, "-o", output, *SMALL, "--preview", output), "the bundle itself")
    one_sentence(run("baking.cli", octahedron, "-o", output, *SMALL), "interrupted", "--resume")
    one_sentence(run("baking.cli", octahedron, "-o", output, *SMALL, "--resume", "--seed", 5), "other settings")
    assert (tmp_path / "scene.bundle.baking" / "shells.safetensors").stat().st_mtime_ns < kills[0]  # nor made anew
    result = run("baking.cli", octahedron, "-o", output, *SMALL, "--resume")
    assert result.returncode == 0, result.stderr
    assert "distillation goes on from step" in result.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["scene.bundle", "watched"]
    resumed, whole = read_bundle(output), read_bundle(baked)
    assert np.array_equal(resumed.outer.texels, whole.outer.texels)  # as if nothing had happened
    assert resumed.report["seconds"]["distillation"] > 0


def test_two_bakes_of_one_bundle_do_not_meet(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "scene.bundle"
    first = subprocess.Popen(command("baking.cli", octahedron, "-o", output, *SMALL), stderr=subprocess.DEVNULL)
    while not (tmp_path / "scene.bundle.baking" / "job.json").exists():
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # so that it is still at work, however long the others take
    try:
        for flag in ([], ["--resume"], ["--restart"]):
            refused = run("baking.cli", octahedron, "-o", output, *SMALL, *flag)
            one_sentence(refused, "another bake is writing this file")
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.wait(120) == 0
    read_bundle(output)


def test_a_workspace_without_its_note_is_not_believed(octahedron: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scene.bundle.baking"
    folder.mkdir()
    (folder / "density.safetensors").write_bytes(b"somebody else's")
    result = run("baking.cli", octahedron, "-o", tmp_path / "scene.bundle", *SMALL)
    assert result.returncode == 0, result.stderr


def test_disk_full_keeps_the_old_bundle(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "scene.bundle"
    output.write_bytes(b"the old bundle")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    result = run("baking.cli", octahedron, "-o", output, *SMALL, preexec_fn=limit)
    one_sentence(result, "too large")
    assert output.read_bytes() == b"the old bundle"
    result = run("baking.cli", octahedron, "-o", output, *SMALL, "--resume")
    assert result.returncode == 0, result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["scene.bundle"]
    read_bundle(output)


def test_outputs_that_cannot_be_written(octahedron: Path, tmp_path: Path) -> None:
    one_sentence(run("baking.cli", octahedron, "-o", tmp_path / "none" / "x.bundle", *SMALL), "no such folder")
    one_sentence(run("baking.cli", octahedron, "-o", tmp_path, *SMALL), "a folder")
    (tmp_path / "file").write_text("")
    one_sentence(run("baking.cli", octahedron, "-o", tmp_path / "file" / "x.bundle", *SMALL), "not writable")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        one_sentence(run("baking.cli", octahedron, "-o", tmp_path / "locked" / "x.bundle", *SMALL), "not writable")


def test_a_bake_that_does_not_begin_is_in_nobodys_way(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    small = [*SMALL[:-2], "--batch", 4096, "--crop", 1024]
    one_sentence(run("baking.cli", octahedron, "-o", output, *small), "GiB of memory", "smaller --grid")
    assert not list(tmp_path.iterdir()), "the next attempt would be told of an interrupted bake"


def test_a_teacher_is_judged_as_it_was_baked(baked: Path, octahedron: Path) -> None:
    bundle = read_bundle(baked)
    assert config_of(bundle).density.grid == 64 and config_of(bundle).density.scan == 32
    told = {**bundle.teacher, "near": 1.0, "far": 7.0, "bounds": [[-1, -1, 0], [1, 1, 1]], "activation": "softplus"}
    cropped = replace(bundle, teacher=told)
    overrides = overrides_of(cropped)
    assert overrides.depths == (1.0, 7.0) and overrides.activation == "softplus"
    teacher = as_baked(load_teacher(octahedron), cropped)
    assert teacher.scene.bounds == ((-1, -1, 0), (1, 1, 1)) and (teacher.scene.near, teacher.scene.far) == (1, 7)
    eye, target = np.array([4, 0, -0.4]), np.array([0, 0, -0.4])
    camera = Camera.from_fov(look_at(eye, target, np.array([0, 0, 1.0])), 16, 16, 0.1)
    assert Reference(teacher, cropped, fast=True).drawn(camera).min() == 1, "what was cropped is drawn"
    assert Reference(load_teacher(octahedron), bundle, fast=True).drawn(camera).max() < 0.99
    assert as_baked(load_teacher(octahedron), bundle).scene.bounds is None
    for wrong in ([[1, 2], [3]], "everywhere", [[0, 0, 0], [1, 1, "x"]]):
        with pytest.raises(DuplexError, match="two corners"):
            as_baked(load_teacher(octahedron), replace(bundle, teacher={**told, "bounds": wrong}))


def test_wrong_input_of_the_bake_is_one_sentence(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    one_sentence(run("baking.cli", tmp_path / "none.ckpt", "-o", output), "no such file")
    one_sentence(run("baking.cli", octahedron, "-o", output, "--texels", 500), "--texels 500", "power of two")
    one_sentence(run("baking.cli", octahedron, "-o", output, "--width", 18), "--width 18", "multiple of 4")
    one_sentence(run("baking.cli", octahedron, "-o", output, "--device", "warp"), "--device warp")
    one_sentence(run("baking.cli", octahedron, "-o", output, "--near", 9, "--far", 3), "near < far")
    one_sentence(run("baking.cli", octahedron, "-o", output, "--data", tmp_path), "transforms_train.json")
    empty = run("baking.cli", octahedron, "-o", output, "--bounds", 3, 3, 3, 4, 4, 4, *SMALL)
    one_sentence(empty, "no surface", "--bounds")


def test_wrong_input_of_the_evaluation_is_one_sentence(baked: Path, tmp_path: Path) -> None:
    one_sentence(run("baking.evaluate_cli", tmp_path / "none.bundle"), "no such file")
    one_sentence(run("baking.evaluate_cli", baked, "--teacher", baked), "not a checkpoint")
    one_sentence(run("baking.evaluate_cli", baked, "--data", tmp_path), "transforms_test.json")
    one_sentence(run("baking.evaluate_cli", baked, "--size", 3), "--size 3")
