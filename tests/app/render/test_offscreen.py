"""Drawing from Python: what comes back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import duplex
from duplex.app.scene.bundle import Bundle


def test_a_frame_and_its_depth_have_the_size_asked_for(demo: Bundle) -> None:
    camera = duplex.Camera.look_at((2, 2, 1), (0, 0, 0), size=(64, 48))
    rgba, depth = duplex.render(demo, camera, depth=True, background=(0, 0, 0, 0))
    assert rgba.shape == (48, 64, 4) and rgba.dtype == np.uint8
    assert depth.shape == (48, 64) and depth.dtype == np.float32
    assert np.isfinite(depth[24, 32]) and not np.isfinite(depth[0, 0])
    assert not rgba[~np.isfinite(depth), 3].any()


def test_several_cameras_come_back_stacked(demo: Bundle) -> None:
    frames = duplex.render(demo, [0, demo.cameras[1]], size=(40, 30))
    assert np.array_equal(frames[1], duplex.render(demo, 1, size=(40, 30)))
    assert frames.shape == (2, 30, 40, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"camera": 99}, "camera 99: this bundle has cameras 0 to 7"),
        ({"backend": "vulkan"}, "backend 'vulkan': expected auto, fragment, compute, onnx"),
        ({"view": "outer colour"}, "view 'outer colour'"),
        ({"size": (0, 32)}, "size 0 x 32: expected 1 to 16384 pixels a side"),
        ({"view": "layer 9 channels 0-3"}, "view 'layer 9 channels 0-3': this bundle has no such view"),
    ],
)
def test_what_a_bundle_does_not_have_is_refused(demo: Bundle, options: dict[str, object], words: str) -> None:
    with pytest.raises(duplex.DuplexError, match=words):
        duplex.render(demo, **{"camera": 0, "size": (32, 32), **options})  # type: ignore[arg-type]
