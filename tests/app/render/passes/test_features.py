"""Features of hidden shells."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np

from duplex.app.render.frame import FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle


def test_a_hidden_shell_adds_nothing(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer, camera = Renderer(ctx, demo), demo.cameras[0].resized(64, 64)
    whole = renderer.image(camera)
    zeros = [replace(shell, scale=shell.scale * 0, offset=shell.offset * 0) for shell in (demo.outer, demo.inner)]
    for shown, bundle in (
        ((False, True), replace(demo, outer=zeros[0])),
        ((True, False), replace(demo, inner=zeros[1])),
        ((False, False), replace(demo, outer=zeros[0], inner=zeros[1])),
    ):
        drawn = renderer.image(camera, FrameOptions(shells=shown))
        assert np.array_equal(drawn, Renderer(ctx, bundle).image(camera)) and not np.array_equal(drawn, whole)
    assert np.array_equal(renderer.image(camera), whole)
