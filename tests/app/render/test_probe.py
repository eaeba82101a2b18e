"""What a pixel is made of."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest

from duplex.app.render.backends.names import NAMES
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.probe import probe
from duplex.app.render.readback import network_inputs
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.baking.geometry.gbuffers import Rasterizer


@pytest.mark.parametrize("backend", NAMES)
def test_a_probed_pixel_is_what_is_drawn_there(ctx: moderngl.Context, demo: Bundle, backend: str) -> None:
    renderer, camera = Renderer(ctx, demo, backend), demo.cameras[0].resized(90, 70)
    image = renderer.image(camera, FrameOptions(background=TRANSPARENT))
    assert image[0, 0, 3] == 0
    inputs, scale = network_inputs(renderer.draw(camera), demo.network.margin)
    covered = scale > 0
    margin, count = demo.network.margin, demo.network.feature_channels
    shells = [shell.mesh for shell in (demo.outer, demo.inner)]
    layers = Rasterizer(ctx, *shells, double_sided=demo.double_sided).layers(camera)
    seen = 0
    for x, y in ((0, 0), (45, 35), (40, 50), (50, 20), (89, 69)):
        found = probe(renderer, camera, (x, y))
        assert np.array_equal(found.color, image[y, x])
        for hit, layer, features in zip(
            (found.outer, found.inner), layers, np.split(inputs[: 2 * count], 2), strict=True
        ):
            assert (hit is not None) == (layer.face[y, x] >= 0)
            if hit:
                seen += 1
                assert np.allclose((hit.u, hit.v), layer.uv[y, x], atol=1e-3)
                assert np.allclose(hit.features, features[:, y + margin, x + margin])
                assert 0 <= hit.level < 10
        assert (found.outer is not None) == bool(covered[y, x])
    assert seen >= 2
