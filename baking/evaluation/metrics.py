"""The measures that compare a drawn picture with its reference: PSNR, SSIM and LPIPS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from skimage.metrics import structural_similarity

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.baking.evaluation.lpips import BACKBONES, MIN_SIDE, Lpips
from duplex.baking.runtime.progress import say

SSIM_WINDOW = 11


@dataclass(frozen=True)
class Quality:
    """PSNR in dB, SSIM, and LPIPS with its two backbones (0 for equal pictures; None if not measured)."""

    psnr: float
    ssim: float
    lpips_vgg: float | None = None
    lpips_alex: float | None = None


class Metrics:
    """Measures pairs of pictures; reports once if LPIPS is left out because its weights are not available."""

    def __init__(self, lpips: bool = True):
        self.lpips: dict[str, Lpips] = {}
        try:
            self.lpips = {name: Lpips(name) for name in BACKBONES} if lpips else {}
        except (DuplexError, OSError) as error:
            say(f"note: LPIPS is left out: {error}")

    def __call__(self, drawn: Array, reference: Array) -> Quality:
        """The quality of ``drawn`` against ``reference``, (h, w, 3) float32 in [0, 1], where that is not NaN."""
        known = np.asarray(np.isfinite(reference).all(-1))
        filled = np.where(known[..., None], reference, drawn)
        learned = self.lpips if min(drawn.shape[:2]) >= MIN_SIDE else {}
        distances = {f"lpips_{name}": distance(drawn, filled, known) for name, distance in learned.items()}
        return Quality(psnr(drawn[known], reference[known]), ssim(drawn, filled, known), **distances)


def mean_of(qualities: Sequence[Quality]) -> dict[str, float | None]:
    """The mean of each measure over pictures; None if one of them lacks it."""
    columns = {key: [asdict(quality)[key] for quality in qualities] for key in Quality.__dataclass_fields__}
    return {key: None if None in values else float(np.mean(values)) for key, values in columns.items()}


def ssim(a: Array, b: Array, known: Array) -> float:
    """Structural similarity of two (h, w, 3) float pictures in [0, 1].

    Wang et al., 2004: 11 x 11 Gaussian window with sigma 1.5, mean over channels and pixels. Only pixels in the mask
    ``known`` (h, w) count, and of those only the ones whose window lies inside the picture, if there are any. Raises
    :class:`DuplexError` for pictures smaller than the window.
    """
    if min(a.shape[:2]) < SSIM_WINDOW:
        raise DuplexError(f"pictures of {a.shape[1]} x {a.shape[0]}: SSIM needs {SSIM_WINDOW} a side: larger --size")
    _, each = structural_similarity(
        a, b, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    rim = SSIM_WINDOW // 2
    inside = np.zeros(known.shape, bool)
    inside[rim:-rim, rim:-rim] = True
    return float(each[known & inside if (known & inside).any() else known].mean())
