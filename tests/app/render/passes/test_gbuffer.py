"""The G-buffer of two shells, against rays and planes."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.mesh import Mesh
from duplex.baking.geometry.gbuffers import Rasterizer


def square(x: float, half: float) -> Mesh:
    """A square of side 2 half in the plane of this x, its uv running along y and z."""
    corners = np.array([[x, -half, -half], [x, half, -half], [x, half, half], [x, -half, half]], np.float32)
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    return Mesh(corners, uvs, np.array([[0, 1, 2], [0, 2, 3]]))


def join(*parts: Mesh) -> Mesh:
    starts = np.cumsum([0] + [len(p.positions) for p in parts])
    faces = np.concatenate([p.faces + s for p, s in zip(parts, starts, strict=False)])
    return Mesh(np.concatenate([p.positions for p in parts]), np.concatenate([p.uvs for p in parts]), faces)


def camera(size: int = 64) -> Camera:
    return Camera.from_fov(look_at(np.array([4.0, 0, 0]), np.zeros(3), np.array([0, 0, 1.0])), size, size, 0.7)


def test_uv_and_distance_match_a_ray_plane_intersection(ctx: moderngl.Context) -> None:
    outer, inner = Rasterizer(ctx, square(0.5, 1), square(0.0, 0.8)).layers(camera())
    rays = camera().ray_directions().astype(np.float64)
    for hits, x, half in ((outer, 0.5, 1.0), (inner, 0.0, 0.8)):
        t = (x - 4.0) / rays[..., 0]
        points = np.array([4.0, 0, 0]) + t[..., None] * rays
        uv = points[..., 1:] / (2 * half) + 0.5
        inside = ((uv > 0.01) & (uv < 0.99)).all(-1)
        hit = hits.face >= 0
        assert np.array_equal(hit | ~inside, np.ones_like(hit))
        assert np.allclose(hits.uv[inside], uv[inside], atol=1e-4)
        assert np.allclose(hits.distance[inside], (t * np.linalg.norm(rays, axis=-1))[inside], atol=1e-4)


def test_the_level_of_detail_is_that_of_a_pixels_area(ctx: moderngl.Context) -> None:
    layers = Rasterizer(ctx, square(0.5, 1), square(0.0, 0.8)).layers(camera())
    for hits, x, half in zip(layers, (0.5, 0.0), (1.0, 0.8), strict=True):
        pixel = (4.0 - x) / camera().fx / (2 * half)  # side of a pixel's area in texture coordinates
        assert np.allclose(hits.level[hits.face >= 0], np.log2(pixel), atol=0.02)


def test_the_second_layer_lies_behind_the_first(ctx: moderngl.Context) -> None:
    """Inner squares in front of and behind the outer one: only the one behind may show."""
    outer, inner = Rasterizer(ctx, square(0.5, 1), join(square(1.0, 1.2), square(0.0, 0.5))).layers(camera())
    assert (inner.distance[inner.face >= 0] > outer.distance[inner.face >= 0]).all()
    assert set(np.unique(inner.face)) == {-1, 2, 3}


def test_nothing_shows_where_the_outer_shell_is_missing(ctx: moderngl.Context) -> None:
    outer, inner = Rasterizer(ctx, square(0.5, 0.3), square(0.0, 1)).layers(camera())
    assert (outer.face >= 0).any() and (outer.face < 0).any()
    assert (inner.face[outer.face < 0] == -1).all()


def test_rows_run_from_the_top(ctx: moderngl.Context) -> None:
    outer, _ = Rasterizer(ctx, square(0.5, 1), square(0.0, 0.8)).layers(camera())
    middle = outer.uv[:, 32, 1][outer.face[:, 32] >= 0]
    assert (np.diff(middle) < 0).all()  # z, and with it v, falls from the top row down
