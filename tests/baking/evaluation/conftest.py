"""The demo bundle, judged against grey pictures."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest

from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.camera import Camera
from duplex.assets import DEMO_BUNDLE
from duplex.baking.evaluation.comparison import Compared, Judge
from duplex.baking.evaluation.metrics import Metrics


@pytest.fixture(scope="module")
def judge(ctx: moderngl.Context) -> Judge:
    bundle = read_bundle(DEMO_BUNDLE)
    return Judge(bundle, Renderer(ctx, bundle), Metrics(lpips=False))


@pytest.fixture(scope="module")
def compared(judge: Judge) -> list[Compared]:
    cameras = [camera.resized(48, 48) for camera in judge.bundle.cameras[:5]]

    def grey(camera: Camera) -> np.ndarray:
        return np.full((camera.height, camera.width, 3), 0.5, np.float32)

    return judge.compare([(c, lambda c=c: grey(c)) for c in cameras], "test")  # type: ignore[misc]
