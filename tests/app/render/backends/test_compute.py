"""Work groups of the compute backend."""

from __future__ import annotations

import moderngl
import numpy as np
import pytest

from duplex.app.render.backends import compute
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle


@pytest.mark.system
def test_more_tiles_than_a_row_of_work_groups_has_are_all_shaded(
    ctx: moderngl.Context, demo: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = demo.cameras[0].resized(160, 160)
    expected = Renderer(ctx, demo, "compute").image(camera)
    for row in (1, 7, 16):
        monkeypatch.setattr(compute, "ROW", row)
        assert np.array_equal(Renderer(ctx, demo, "compute").image(camera), expected)
