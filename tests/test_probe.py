"""What a pixel is made of, and the other ways to look at a frame."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest

from duplex.app.render.backends.names import NAMES
from duplex.app.render.display import RAMPS, Display
from duplex.app.render.frame import FrameOptions
from duplex.app.render.probe import probe
from duplex.app.render.readback import network_inputs
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import View
from duplex.app.scene.bundle import Bundle
from duplex.baking.geometry.gbuffers import Rasterizer


@pytest.mark.parametrize("backend", NAMES)
def test_a_probed_pixel_is_what_is_drawn_there(ctx: moderngl.Context, demo: Bundle, backend: str) -> None:
    renderer, camera = Renderer(ctx, demo, backend), demo.cameras[0].resized(90, 70)
    image = renderer.image(camera)
    inputs, covered = network_inputs(renderer.draw(camera), demo.network.margin)
    margin, count = demo.network.margin, demo.network.feature_channels
    shells = [(shell.positions, shell.uvs, shell.faces) for shell in (demo.outer, demo.inner)]
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


def test_a_channel_is_shown_along_a_ramp(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer, camera = Renderer(ctx, demo), demo.cameras[0].resized(64, 64)
    inputs, covered = network_inputs(renderer.draw(camera), demo.network.margin)
    margin = demo.network.margin
    numbers = inputs[5, margin:-margin, margin:-margin]
    for ramp, colors in RAMPS.items():
        picture = renderer.draw(
            camera, FrameOptions(View.parse("outer features 1"), display=Display(1, ramp, -0.5, 0.75))
        )
        data = np.frombuffer(picture.picture.read(components=3), np.uint8).reshape(64, 64, 3)[::-1] / 255
        place = np.clip((numbers + 0.5) / 1.25, 0, 1)
        expected = np.stack([np.interp(place, np.linspace(0, 1, 5), np.array(colors)[:, i]) for i in range(3)], -1)
        assert np.abs(data - expected)[covered].max() < 0.01
        assert np.allclose(data[~covered], 0.08, atol=0.01)
