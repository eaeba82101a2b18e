from __future__ import annotations

import numpy as np
import pytest

from duplex.app.scene.codec import wavelet
from duplex.app.scene.codec.entropy import Details


@pytest.mark.parametrize("levels", [1, 3, 5])
def test_the_inverse_undoes_the_transform_but_for_rounding(levels: int) -> None:
    picture = np.random.default_rng(0).integers(-(1 << 12), 1 << 12, (64, 96, 3)) << 6
    coarse, details = wavelet.forward(picture.astype(float), levels)
    assert coarse.shape == (64 >> levels, 96 >> levels, 3) and details[-1][2].shape == (32, 48, 3)
    whole: Details = [tuple(np.round(band).astype(np.int32) for band in level) for level in details]  # type: ignore[misc]
    found = wavelet.inverse(np.round(coarse).astype(np.int32), whole)
    assert found.dtype == np.int32 and np.abs(found - picture).max() <= 3 * levels


def test_smooth_pictures_have_small_details() -> None:
    y, x = np.mgrid[:64, :64] / 64.0
    _, details = wavelet.forward((100 * x + 50 * y)[..., None], 3)
    assert max(np.abs(band[:-1, :-1]).max() for level in details for band in level) < 1e-9
