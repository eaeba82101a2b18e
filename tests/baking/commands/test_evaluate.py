"""``duplex-eval``, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

from builders.commands import EVALUATE, call, one_sentence, run


def test_evaluation_prints_one_json_object(baked: Path, octahedron: Path) -> None:
    result = run(
        EVALUATE, baked, "--teacher", octahedron, "--views", 3, "--size", 64, "--turn", 2, "--json", "--no-lpips"
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    facts = ["bundle_bytes", "part_bytes", "faces", "texels", "macs_per_pixel", "bracketing"]
    assert list(report) == ["teacher", "photos", "teacher_renderer", *facts]
    assert report["teacher_renderer"] == "standard"
    assert report["photos"] is None
    assert len(report["teacher"]["views"]) == 3
    assert report["teacher"]["psnr"] > 22 and 0.8 < report["teacher"]["ssim"] <= 1
    found = report["teacher"]
    assert set(found["boundary_psnr"]) == set(found["backgrounds"]) == {"white", "black", "grey", "blue", "mean"}
    assert set(found["rings"]) == {"0.4", "1.0", "2.5"} and found["specks"] == 0
    numbers = [*found["boundary_psnr"].values(), *found["backgrounds"].values(), *found["rings"].values()]
    assert all(5 < number < 60 for number in [*numbers, found["elsewhere"]])
    assert 0 < found["alpha_error"] < 0.1
    assert report["bundle_bytes"] == baked.stat().st_size
    assert report["texels"] == 2 * 128 * 128


def test_evaluation_against_photos(baked: Path, data: Path) -> None:
    folder = data / "nerf_synthetic" / "chair"
    result = run(EVALUATE, baked, "--data", folder, "--views", 2, "--size", 50, "--json", "--no-lpips")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["teacher"] is None and len(report["photos"]["views"]) == 2


def test_wrong_input_of_the_evaluation_is_one_sentence(baked: Path, tmp_path: Path) -> None:
    one_sentence(call(EVALUATE, tmp_path / "none.bundle"), "no such file")
    one_sentence(call(EVALUATE, baked, "--teacher", baked), "a bundle of duplex, baked already: expected a checkpoint")
    one_sentence(call(EVALUATE, baked, "--data", tmp_path), "transforms_test.json")
    one_sentence(call(EVALUATE, baked, "--size", 3), "--size 3")
    one_sentence(call(EVALUATE, baked, "--standard"), "--standard: expected --teacher")
    one_sentence(call(EVALUATE, baked, "--turn", 3), "--turn 3: expected 1 to 360, and --teacher")
    one_sentence(call(EVALUATE, baked, "--teacher", baked, "--fast", "--standard"), "one of them")
