"""Draw a turn around a bundle as numpy arrays and save them as pictures.

python examples/01_turntable.py [scene.bundle] [folder]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import duplex
from duplex.assets import DEMO_BUNDLE

FRAMES, SIZE = 8, (320, 240)


def main(bundle: Path = DEMO_BUNDLE, folder: Path = Path("turntable")) -> np.ndarray:
    """Draw the frames, (n, h, w, 4) uint8, and write them into ``folder``."""
    scene = duplex.load(bundle)
    cameras = duplex.scene_orbit(scene).cameras(FRAMES, *SIZE)
    frames, depth = duplex.render(scene, cameras, depth=True)
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number:03d}.png")
    nearest = np.min(depth)
    print(f"{len(frames)} frames of {SIZE[0]} x {SIZE[1]} in {folder}; the nearest surface is {nearest:.2f} units away")
    return frames


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
