"""The curve of a scene: fewer bytes are worse pictures, measured by one command, in a table and a picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from builders.commands import EVALUATE, call, one_sentence
from duplex.baking.bundles import rate_curve


@pytest.mark.slow
def test_table_and_picture_of_a_scene(baked: Path, octahedron: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(rate_curve, "WEIGHTS", (1.0, 10_000.0))
    output = tmp_path / "rate.md"
    small = ("--views", 12, "--rate-steps", 60, "--size", 64, "--cameras", 2)
    result = call(EVALUATE, "rate", baked, "--teacher", octahedron, "-o", output, *small)
    assert result.returncode == 0, result.stderr
    text = output.read_text()
    rows = re.findall(r"^\| (?:as it is|--rate-weight \S+) \| ([\d.]+) \| ([\d.]+) dB \| not measured \|$", text, re.M)
    sizes, decibels = zip(*((float(size), float(psnr)) for size, psnr in rows), strict=True)
    assert len(rows) == 3 and sizes[0] > 3 * sizes[1] and sizes[1] > sizes[2] and decibels[1] > decibels[2]
    assert "HAC++ | 0.79 | 32.77 dB" in text and "rate.png" in text
    assert min(Image.open(tmp_path / "rate.png").size) > 500


def test_a_curve_is_written_beside_published_ones(tmp_path: Path) -> None:
    points = [rate_curve.Point("as it is", 5.0, 37.0, None), rate_curve.Point("--rate-weight 14", 0.3, 36.7, 33.1)]
    rate_curve.write_rate(points, tmp_path / "rate.md")
    text = (tmp_path / "rate.md").read_text()
    assert "| as it is | 5.000 | 37.00 dB | not measured |" in text and "HAC++ | 0.79 | 32.77 dB" in text
    assert "rate.png" in text and min(Image.open(tmp_path / "rate.png").size) > 500


def test_nothing_to_compare_with_is_a_sentence(baked: Path, tmp_path: Path) -> None:
    one_sentence(call(EVALUATE, "rate", baked, "-o", tmp_path / "rate.md"), "--teacher, --data or both")
