"""What ideas are worth: rows are compared with the curve at equal pictures, and one command makes the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from builders.commands import EVALUATE, call
from duplex.baking.bundles.rate_curve import Point
from duplex.baking.bundles.rate_ideas import ideas_table

CURVE = [Point("as built, --rate-weight 1", 0.4, 38.0, None), Point("as built, --rate-weight 16", 0.1, 36.0, None)]


def test_rows_are_compared_at_equal_pictures() -> None:
    points = [Point("twice", 0.4, 37.0, None), Point("bad", 0.4, 35.0, None), Point("good", 0.4, 39.0, None)]
    lines = ideas_table(CURVE + points).splitlines()
    assert lines[2] == "| as built, --rate-weight 1 | 0.400 | 38.00 dB |  |"
    assert lines[4:] == [
        "| twice | 0.400 | 37.00 dB | x 2.00 |",
        "| bad | 0.400 | 35.00 dB | worse than 0.100 MB |",
        "| good | 0.400 | 39.00 dB | better than 0.400 MB |",
    ]


@pytest.mark.slow
def test_a_table_of_a_scene(baked: Path, octahedron: Path, tmp_path: Path) -> None:
    output = tmp_path / "ideas.md"
    small = ("--views", 12, "--rate-steps", 30, "--size", 64, "--cameras", 2, "--ideas")
    result = call(EVALUATE, "rate", baked, "--teacher", octahedron, "-o", output, *small)
    assert result.returncode == 0, result.stderr
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) dB \|", output.read_text(), re.M)
    assert len(rows) == 13 and len({name for name, _, _ in rows}) == 13
    assert all(float(size) > 0.01 and float(psnr) > 10 for _, size, psnr in rows)
