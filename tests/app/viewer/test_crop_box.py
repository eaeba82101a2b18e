"""The crop box stands around the scene in the dataset's frame, and is written as the bake reads it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from duplex.app.scene.bundle import Bundle
from duplex.app.viewer.crop_box import as_flag, box_around
from duplex.baking.geometry.crop import CropRegion


def test_the_box_is_in_the_frame_of_the_dataset(demo: Bundle) -> None:
    turned = np.diag([1.0, 1.0, 1.0, 1.0])
    turned[:3, :3] = [[0, -2, 0], [2, 0, 0], [0, 0, 2]]
    turned[:3, 3] = 1, 2, 3
    bundle = replace(demo, to_dataset=turned)
    low, high = demo.bounds
    found = box_around(bundle)
    assert np.allclose(found[0], [1 - 2 * high[1], 2 + 2 * low[0], 3 + 2 * low[2]], rtol=1e-4)
    assert np.allclose(found[1], [1 - 2 * low[1], 2 + 2 * high[0], 3 + 2 * high[2]], rtol=1e-4)


def test_the_bake_reads_what_is_copied() -> None:
    words = as_flag(((-1, 0.25, -3e-3), (1, 2, 12345.678))).split()
    assert words[0] == "--crop"
    region = CropRegion.of(words[1:], np.eye(4))
    assert np.allclose(region.numbers, [-1, 0.25, -3e-3, 1, 2, 12345.678], rtol=1e-4)
