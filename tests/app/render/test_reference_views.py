"""Reference pictures and their error, drawn over the frame."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest

from duplex.app.core.metrics import psnr
from duplex.app.render.display import RAMPS
from duplex.app.render.frame import FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import ERROR, FINAL, REFERENCE
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera

WHITE = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("size", [None, (300, 200)])
def test_a_reference_lies_where_the_frame_is(
    ctx: moderngl.Context, referenced: Bundle, index: int, size: tuple[int, int] | None
) -> None:
    """In its own camera, and in a window of another size and shape whose camera is centred."""
    renderer, reference = Renderer(ctx, referenced), referenced.references[index]
    camera = reference.camera
    if size:
        camera = Camera.from_fov(camera.camera_to_world, *size, camera.fov_y)
    final, shown, error = (
        renderer.image(camera, FrameOptions(view, (*WHITE, 1.0))) for view in (FINAL, REFERENCE, ERROR)
    )
    corners = [(0.0, 0.0), (float(camera.width), float(camera.height))]
    x, y, left, bottom = reference.place(camera)
    assert all((x * a + left, y * b + bottom) == pytest.approx((a, b)) for a, b in corners) is (size is None)
    lowest = np.rint(255 * np.array(RAMPS["heat"][0]))
    if size is None:
        assert psnr(final[..., :3] / 255.0, shown[..., :3] / 255.0) > 48
        assert np.abs(error[..., :3] - lowest).max() < 12
        return
    columns = x * np.arange(0.5, size[0]) + left
    rows = y * (size[1] - np.arange(0.5, size[1])) + bottom
    beside = (columns < 0) | (columns > reference.camera.width)
    inside = ~(beside[None] | ((rows < 0) | (rows > reference.camera.height))[:, None])
    assert 0.2 < inside.mean() < 0.95
    assert (shown[..., :3] == 255)[~inside].all() and (error[..., :3] == 20)[~inside].all()
    moved = np.roll(final, 6, 1)[inside][:, :3] / 255.0
    wanted, found = final[inside][:, :3] / 255.0, shown[inside][:, :3] / 255.0
    assert psnr(wanted, found) > psnr(moved, found) + 4


def test_an_error_is_seen_where_it_is(ctx: moderngl.Context, referenced: Bundle) -> None:
    reference = referenced.references[0]
    rgba = reference.rgba.copy()
    rgba[20:40, 50:80] = 0, 255, 0, 255
    bundle = replace(referenced, references=(replace(reference, rgba=rgba),))
    error = Renderer(ctx, bundle).image(reference.camera, FrameOptions(ERROR, (0.3, 0.1, 0.9, 1.0))).astype(int).sum(-1)
    bright = np.zeros(error.shape, bool)
    bright[20:40, 50:80] = True
    assert np.median(error[bright]) > 500 and error[~bright].max() < 255 + 80


def test_from_elsewhere_there_is_no_reference(ctx: moderngl.Context, referenced: Bundle) -> None:
    renderer = Renderer(ctx, referenced)
    assert renderer.reference_at(referenced.references[1].camera) is referenced.references[1]
    assert renderer.reference_at(referenced.cameras[1]) is None
    elsewhere = referenced.cameras[1].resized(40, 40)
    for view in (REFERENCE, ERROR):
        assert np.array_equal(renderer.image(elsewhere, FrameOptions(view)), renderer.image(elsewhere))


def test_bundles_without_references_have_no_such_view(ctx: moderngl.Context, demo: Bundle) -> None:
    assert not {REFERENCE, ERROR} & set(Renderer(ctx, replace(demo, references=())).views)
