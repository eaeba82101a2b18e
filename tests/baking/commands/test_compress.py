"""``duplex-bake compress`` and ``expand``: from the command line, with wrong input in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

from builders.bundles import parts_of
from builders.commands import BAKE, call, one_sentence, run
from duplex.app.scene.bundle_reader import read_bundle


def test_a_bundle_is_compressed_and_expanded(demo_file: Path, tmp_path: Path) -> None:
    small, large = tmp_path / "small.bundle", tmp_path / "large.bundle"
    result = run(BAKE, "compress", demo_file, "-o", small, "--views", 4, "--rate-steps", 6, "--feature-step", 3)
    assert re.search(r"small\.bundle: 0\.\d\d of \d\.\d\d MB, \d\d\.\d dB to the pictures of", result.stdout), (
        result.stderr
    )
    assert small.stat().st_size < 0.5e6
    result = run(BAKE, "expand", small, "-o", large)
    assert "MB compressed" in result.stdout, result.stderr
    assert "outer.features1.png" in parts_of(large) and "shading.onnx" in parts_of(large)
    assert read_bundle(large).faces == read_bundle(small).faces


def test_wrong_input_is_one_sentence(demo_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.bundle"
    one_sentence(
        call(BAKE, "compress", demo_file, "-o", output, "--feature-step", 0), "--feature-step 0.0", "0.01 to 100"
    )
    one_sentence(
        call(BAKE, "compress", demo_file, "-o", output, "--position-bits", 20), "--position-bits 20", "8 to 16"
    )
    one_sentence(call(BAKE, "compress", demo_file, "-o", output, "--megabytes", 0), "--megabytes 0", "more than 0")
    one_sentence(call(BAKE, "compress", tmp_path / "none", "-o", output), "none", "no such file")
    one_sentence(call(BAKE, "expand", Path(__file__), "-o", output), "test_compress.py")
    assert not output.exists()
