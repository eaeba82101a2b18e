"""The frames that the renderer draws."""

from __future__ import annotations

import dataclasses

import moderngl
import numpy as np

from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import View
from duplex.app.scene.bundle import Bundle


def test_every_view_shows_something(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo)
    camera = demo.references[0].camera.resized(96, 96)  # from where all of them have something to show
    layers = sum(-(-layer.outputs // 4) for layer in demo.network.layers[:-1])
    assert len(renderer.views) == len(set(renderer.views)) == 13 + demo.network.feature_channels // 2 + layers
    pictures = {str(view): renderer.image(camera, FrameOptions(view))[..., :3] for view in renderer.views}
    for view, picture in pictures.items():
        background = picture[0, 0]
        assert (picture != background).any(-1).mean() > 0.05, view
    assert not np.array_equal(pictures["outer depth"], pictures["inner depth"])
    assert np.abs(pictures["final"].astype(int) - pictures["alpha"]).mean() > 5


def test_background_shows_through_and_nothing_else_changes(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo)
    camera = demo.cameras[1].resized(96, 96)
    clear = renderer.image(camera, FrameOptions(background=TRANSPARENT)).astype(np.float32)
    red = renderer.image(camera, FrameOptions(background=(1.0, 0.0, 0.0, 1.0))).astype(np.float32)
    expected = clear[..., :3] + (255 - clear[..., 3:]) * np.array([1, 0, 0])
    assert np.abs(red[..., :3] - expected).max() <= 1.5


def test_views_and_sizes_leave_no_trace_in_the_next_frame(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo)
    camera = demo.cameras[0].resized(90, 70)
    before = renderer.image(camera)
    for view in renderer.views:
        renderer.image(demo.cameras[3].resized(50, 60), FrameOptions(view))
    assert np.array_equal(renderer.image(camera), before)


def test_a_camera_inside_or_beside_the_scene_draws(ctx: moderngl.Context, demo: Bundle) -> None:
    from duplex.app.scene.camera import Camera, look_at

    renderer = Renderer(ctx, demo)
    up = np.array([0, 0, 1.0])
    inside = Camera.from_fov(look_at(np.array([0.0, -0.3, 0.4]), np.array([0.0, 1.0, 0.4]), up), 64, 64, 1.0)
    away = Camera.from_fov(look_at(np.array([0.0, -4.0, 0.0]), np.array([0.0, -8.0, 0.0]), up), 64, 64, 1.0)
    assert renderer.image(inside).shape == (64, 64, 4)
    assert (renderer.image(away)[..., :3] == 255).all()


def test_a_scene_beside_the_view_axis_is_not_cut_off(ctx: moderngl.Context, demo: Bundle) -> None:
    """Turning the camera moves the picture, but the near plane must not eat what is still in it."""
    from duplex.app.scene.camera import Camera, look_at

    renderer = Renderer(ctx, demo)
    eye, up = renderer.center - np.array([0, 6 * renderer.radius, 0]), np.array([0, 0, 1.0])
    covered = []
    for yaw in (0.0, 0.7):
        aim = eye + np.array([np.sin(yaw), np.cos(yaw), 0])
        camera = Camera.from_fov(look_at(eye, aim, up), 400, 160, 0.9)
        covered.append((renderer.image(camera, FrameOptions(View.parse("outer mask")))[..., 0] == 255).sum())
    assert covered[1] > covered[0]  # wide angles stretch what lies aside


def test_weights_that_are_all_zero_draw(ctx: moderngl.Context, demo: Bundle) -> None:
    weights = [w.copy() for w in demo.weights.weights]
    weights[0][:, 4:8] = 0
    bundle = dataclasses.replace(demo, weights=dataclasses.replace(demo.weights, weights=tuple(weights)))
    assert Renderer(ctx, bundle).image(demo.cameras[0].resized(40, 40)).shape == (40, 40, 4)
