"""Measure how near a bundle comes to the test photos of a dataset, and show where it errs most.

python examples/03_compare_with_photos.py scene.bundle path/to/dataset [worst.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import duplex


def main(bundle: Path, dataset: Path, worst: Path = Path("worst.png"), size: int = 200) -> float:
    """Print each photo's PSNR and write the worst pair side by side; returns the mean PSNR in dB."""
    found = duplex.evaluate(bundle, data=dataset, size=size, lpips=False)
    views = found.compared["photos"]
    for number, view in enumerate(views):
        print(f"photo {number}: {view.quality.psnr:.2f} dB, SSIM {view.quality.ssim:.4f}")
    shown = [view for view in views if view.drawn is not None]  # a few pictures are kept
    least = min(shown, key=lambda view: view.quality.psnr)
    pair = np.concatenate([least.drawn, least.reference], 1)
    Image.fromarray(np.round(255 * np.clip(pair, 0, 1)).astype(np.uint8)).save(worst)
    mean = found.to_json()["photos"]["psnr"]
    print(f"mean {mean:.2f} dB; the worst of those that are shown: {worst}")
    return float(mean)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
