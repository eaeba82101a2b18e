"""Turntables as PNG files with a contact sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from builders.viewer import viewer


def test_turntable_makes_numbered_pictures_and_a_sheet(tmp_path: Path) -> None:
    result = viewer("--turntable", "-o", tmp_path / "turn", "--frames", 5, "--size", "64x48")
    assert result.returncode == 0, result.stderr
    assert sorted(f.name for f in (tmp_path / "turn").iterdir()) == [
        *(f"00{i}.png" for i in range(5)),
        "contact-sheet.png",
    ]
    assert str(tmp_path / "turn") in result.stdout
    first, third = (np.asarray(Image.open(tmp_path / "turn" / f"00{i}.png"), np.int16) for i in (0, 2))
    assert np.abs(first - third).mean() > 2
    assert Image.open(tmp_path / "turn" / "contact-sheet.png").size == (6 * 64, 48)
