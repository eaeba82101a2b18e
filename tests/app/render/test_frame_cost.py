"""What a frame must not do: read stale pixels, make objects, keep memory."""

from __future__ import annotations

import gc
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import moderngl
import numpy as np
import pytest

from duplex.app.render.backends.fragment import SizedFragmentBackend
from duplex.app.render.backends.names import NAMES
from duplex.app.render.gpu import colors
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle


@pytest.mark.parametrize("backend", NAMES)
def test_garbage_beside_the_scene_reaches_no_picture(ctx: moderngl.Context, demo: Bundle, backend: str) -> None:
    renderer, camera = Renderer(ctx, demo, backend), demo.cameras[0].resized(90, 70)
    clean = renderer.image(camera)
    targets = renderer._targets.at((90, 70))
    shaded = targets.backend
    if isinstance(shaded, SizedFragmentBackend):
        textures = [texture for group in shaded.targets for texture in colors(*group)]
    else:
        textures = [t for x in shaded.textures for t in (x if isinstance(x, list) else [x])]
    assert textures
    for texture in [*colors(targets.inputs), *textures]:
        texture.write(np.full((texture.height, texture.width, 4), np.nan, np.float16).tobytes())
    assert np.array_equal(renderer.image(camera), clean)


@pytest.mark.parametrize("backend", NAMES)
def test_a_frame_makes_no_gl_object_and_no_array_of_a_picture(
    ctx: moderngl.Context, demo: Bundle, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer = Renderer(ctx, demo, backend)
    cameras = [camera.resized(400, 300) for camera in demo.cameras[:4]]
    for camera in cameras:
        renderer.draw(camera)
    made: list[str] = []
    makers = [name for name in dir(moderngl.Context) if name in MAKERS]
    assert set(makers) == set(MAKERS)
    for name in makers:
        original = getattr(moderngl.Context, name)

        def counted(*arguments, _name=name, _original=original, **settings):
            made.append(_name)
            return _original(*arguments, **settings)

        monkeypatch.setattr(moderngl.Context, name, counted)
    ctx.texture((1, 1), 4)
    assert made == ["texture"]  # so they would be counted
    tracemalloc.start()
    try:
        for camera in cameras * 5:
            renderer.draw(camera)
        ctx.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made == ["texture"]
    assert peak < 400 * 300  # not a byte for each pixel


@pytest.mark.parametrize("backend", ["fragment", "compute"])
@pytest.mark.parametrize("frames", [1500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_frames_leave_memory_where_it_was(
    ctx: moderngl.Context, demo: Bundle, backend: str, frames: int
) -> None:
    status = Path("/proc/self/statm")
    if not status.exists():
        pytest.skip("SKIPPED: no /proc here to read this program's memory from")
    shells = [
        replace(shell, mesh=replace(shell.mesh, faces=shell.mesh.faces[::50])) for shell in (demo.outer, demo.inner)
    ]  # for quick frames
    renderer = Renderer(ctx, replace(demo, outer=shells[0], inner=shells[1]), backend)
    cameras = [camera.resized(40, 30) for camera in demo.cameras]

    def resident(frames: int) -> int:
        for frame in range(frames):
            renderer.draw(cameras[frame % len(cameras)])
        ctx.finish()
        gc.collect()
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident(1000)
    assert resident(frames) - before < 4e6  # a forgotten target of 40 x 30 pixels a frame: 14 MB in 1500 frames


MAKERS = (
    "texture", "texture_array", "depth_texture", "framebuffer", "simple_framebuffer", "buffer", "program",
    "vertex_array", "query", "renderbuffer", "sampler", "compute_shader",
)  # fmt: skip
