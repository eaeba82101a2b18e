"""Bakes that are killed, meet one another or run out of disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from builders.commands import BAKE, SMALL, TINY, call, command, one_sentence, run
from duplex.app.scene.bundle_reader import read_bundle

pytestmark = pytest.mark.system


@pytest.mark.slow  # a cancelled bake in tests/baking/test_api.py is its quick sibling
def test_killed_and_resumed(octahedron: Path, baked: Path, tmp_path: Path) -> None:
    output, preview = tmp_path / "scene.bundle", tmp_path / "watched" / "preview.bundle"
    preview.parent.mkdir()
    output.write_bytes(b"the old bundle")
    kills = []
    for wait_for in ("scene.bundle.baking/shells.safetensors", "watched/preview.bundle"):
        resume = ["--resume"] if (tmp_path / "scene.bundle.baking").exists() else []
        arguments = command(BAKE, octahedron, "-o", output, *SMALL, *resume, "--preview", preview)
        arguments[2] = "import duplex.baking.runtime.training_state as d; d.SAVE_SECONDS = 0; " + arguments[2]
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
    one_sentence(call(BAKE, octahedron, "-o", output, *SMALL, "--preview", output), "the bundle itself")
    one_sentence(call(BAKE, octahedron, "-o", output, *SMALL), "interrupted", "--resume")
    one_sentence(call(BAKE, octahedron, "-o", output, *SMALL, "--resume", "--seed", 5), "other settings")
    assert (tmp_path / "scene.bundle.baking" / "shells.safetensors").stat().st_mtime_ns < kills[0]  # nor made anew
    result = run(BAKE, octahedron, "-o", output, *SMALL, "--resume")
    assert result.returncode == 0, result.stderr
    assert "distillation goes on from step" in result.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["scene.bundle", "watched"]
    resumed, other = read_bundle(output), read_bundle(baked)
    assert np.array_equal(resumed.outer.texels, other.outer.texels)  # as if nothing had happened
    assert resumed.report["seconds"]["distillation"] > 0


def test_two_bakes_of_one_bundle_do_not_meet(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "scene.bundle"
    first = subprocess.Popen(command(BAKE, octahedron, "-o", output, *TINY), stderr=subprocess.DEVNULL)
    while not (tmp_path / "scene.bundle.baking" / "job.json").exists():
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # so that it is still at work, however long the others take
    try:
        for flag in ([], ["--resume"], ["--restart"]):
            refused = call(BAKE, octahedron, "-o", output, *TINY, *flag)
            one_sentence(refused, "another bake is writing this file")
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.wait(120) == 0
    read_bundle(output)


def test_a_folder_of_the_users_is_no_workspace(octahedron: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scene.bundle.baking"
    folder.mkdir()
    (folder / "density.safetensors").write_bytes(b"somebody else's")
    for flag in ([], ["--resume"], ["--restart"]):
        refused = call(BAKE, octahedron, "-o", tmp_path / "scene.bundle", *TINY, *flag)
        one_sentence(refused, "not the workspace of a bake", "another output")
    assert [file.name for file in tmp_path.rglob("*")] == [folder.name, "density.safetensors"]


@pytest.mark.slow  # the quick torture fills disks too
def test_disk_full_keeps_the_old_bundle(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "scene.bundle"
    output.write_bytes(b"the old bundle")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    result = run(BAKE, octahedron, "-o", output, *TINY, preexec_fn=limit)
    one_sentence(result, "too large")
    assert output.read_bytes() == b"the old bundle"
    result = run(BAKE, octahedron, "-o", output, *TINY, "--resume")
    assert result.returncode == 0, result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["scene.bundle"]
    read_bundle(output)


def test_outputs_that_cannot_be_written(octahedron: Path, tmp_path: Path) -> None:
    one_sentence(call(BAKE, octahedron, "-o", tmp_path / "none" / "x.bundle", *SMALL), "no such folder")
    one_sentence(call(BAKE, octahedron, "-o", tmp_path, *SMALL), "a folder")
    (tmp_path / "file").write_text("")
    one_sentence(call(BAKE, octahedron, "-o", tmp_path / "file" / "x.bundle", *SMALL), "not writable")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        one_sentence(call(BAKE, octahedron, "-o", tmp_path / "locked" / "x.bundle", *SMALL), "not writable")


def test_a_bake_that_does_not_begin_is_in_nobodys_way(octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    small = [*SMALL[:-2], "--batch", 4096, "--crop-size", 1024]
    one_sentence(call(BAKE, octahedron, "-o", output, *small), "GiB of memory", "smaller --grid")
    assert not list(tmp_path.iterdir()), "the next attempt would be told of an interrupted bake"
