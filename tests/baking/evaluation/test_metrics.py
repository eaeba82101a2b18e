"""PSNR and SSIM where all or some pixels are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from duplex.app.core.errors import DuplexError
from duplex.baking.evaluation.metrics import Metrics, Quality, mean_of


def test_means_leave_out_what_was_not_measured_everywhere() -> None:
    means = mean_of([Quality(30, 0.9, 0.1, None), Quality(20, 0.7, 0.3, 0.2)])
    assert means == {"psnr": 25, "ssim": pytest.approx(0.8), "lpips_vgg": pytest.approx(0.2), "lpips_alex": None}


def test_pictures_smaller_than_the_window_of_ssim_are_told_of() -> None:
    with pytest.raises(DuplexError, match="9: SSIM needs 11"):
        Metrics(lpips=False)(np.zeros((9, 20, 3), np.float32), np.zeros((9, 20, 3), np.float32))


def test_unknown_pixels_of_a_reference_do_not_count() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.random((40, 40, 3)).astype(np.float32)
    wanted = drawn + rng.choice(np.array([-0.2, 0.2], np.float32), drawn.shape)
    whole, wanted[:20] = Metrics(lpips=False)(drawn, wanted), np.nan
    found = Metrics(lpips=False)(drawn, wanted)
    assert found.psnr == pytest.approx(20 - 20 * math.log10(2), abs=1e-3)
    assert whole.ssim < 0.9 and found.ssim == pytest.approx(whole.ssim, abs=0.03)


def test_ssim_is_the_mean_over_whole_windows() -> None:
    a, b = np.random.default_rng(0).random((2, 30, 40, 3)).astype(np.float32)
    settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    wanted = structural_similarity(a, b, channel_axis=-1, data_range=1.0, **settings)
    assert Metrics(lpips=False)(a, b).ssim == pytest.approx(wanted, abs=1e-6)
