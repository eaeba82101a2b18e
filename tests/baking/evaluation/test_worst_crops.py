"""The worst parts of compared pictures."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.baking.evaluation.worst_crops import WorstCrops


def test_the_worst_parts_of_all_views_do_not_overlap() -> None:
    worst = WorstCrops()
    reference = np.zeros((640, 640, 3), np.float32)
    drawn = reference.copy()
    drawn[:10, :10] = 1  # in the corner
    drawn[200:220, 300:320] = 0.9
    worst.add("first", 0, drawn, reference)
    assert [crop.drawn.shape for crop in worst.crops] == [(128, 128, 3)] * 4
    assert worst.crops[0].error == pytest.approx(400 * 0.81 / 128**2, rel=1e-4)
    assert worst.crops[0].error == pytest.approx(float((worst.crops[0].drawn ** 2).mean()), rel=1e-4)
    assert worst.crops[1].error == pytest.approx(100 / 128**2, rel=1e-4)
    assert worst.crops[2].error == pytest.approx(0, abs=1e-6), "the same pixels are shown twice"
    worst.add("second", 3, np.full((16, 16, 3), 0.5, np.float32), np.zeros((16, 16, 3), np.float32))
    assert (worst.crops[0].label, worst.crops[0].view, len(worst.crops)) == ("second", 3, 4)
    assert worst.crops[0].psnr == pytest.approx(-10 * np.log10(0.25))
