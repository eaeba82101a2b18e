"""Feature channels shown along a colour ramp."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.render.display import RAMPS, Display
from duplex.app.render.frame import FrameOptions
from duplex.app.render.readback import network_inputs
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import View
from duplex.app.scene.bundle import Bundle


def test_a_channel_is_shown_along_a_ramp(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer, camera = Renderer(ctx, demo), demo.cameras[0].resized(64, 64)
    inputs, scale = network_inputs(renderer.draw(camera), demo.network.margin)
    covered = scale > 0
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
