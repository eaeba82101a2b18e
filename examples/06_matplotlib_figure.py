"""Show a frame, its depth and its alpha in a matplotlib figure.

python examples/06_matplotlib_figure.py [scene.bundle] [figure.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import duplex
from duplex.assets import DEMO_BUNDLE


def main(bundle: Path = DEMO_BUNDLE, file: Path = Path("figure.png")) -> None:
    """Draw the bundle's first camera and write the figure to ``file``."""
    scene = duplex.load(bundle)
    rgba, depth = duplex.render(scene, 0, size=(400, 400), background=(0, 0, 0, 0), depth=True)
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    axes[0].imshow(rgba)
    axes[1].imshow(np.where(np.isfinite(depth), depth, np.nan), cmap="viridis")
    axes[2].imshow(rgba[..., 3], cmap="gray", vmin=0, vmax=255)
    for axis, title in zip(axes, ("frame", "depth, world units", "alpha"), strict=True):
        axis.set_title(title)
        axis.set_axis_off()
    figure.savefig(file)
    print(file)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
