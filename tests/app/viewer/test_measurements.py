"""What the panel measures of a pixel."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.viewer.measurements import probe_pixel


def test_a_probed_pixel_has_a_place_in_the_world_or_no_alpha(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer, camera = Renderer(ctx, demo), demo.cameras[0].resized(90, 70)
    probed = probe_pixel(renderer, camera, (0.5, 0.5), (True, True))
    assert probed.met and probed.found.outer and probed.found.color[3] > 200
    local = np.linalg.inv(camera.camera_to_world) @ [*probed.met.point, 1]
    pixel = camera.cx - camera.fx * local[0] / local[2], camera.cy + camera.fy * local[1] / local[2]
    assert np.allclose(pixel, np.array(probed.pixel) + 0.5, atol=1e-3)
    assert np.isclose(probed.met.distance, np.linalg.norm(local[:3]))
    outside = probe_pixel(renderer, camera, (0.001, 0.001), (True, True))
    assert outside.met is None and outside.found.color[3] == 0
