"""What cameras have seen of a shell: counts of faces, values of vertices."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
import pytest

from builders.bundles import opaque
from duplex.app.core.arrays import Array
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import Unseen
from duplex.app.scene.camera import Camera, look_at
from duplex.app.scene.coordinates.reference_view import ReferenceView
from duplex.app.scene.mesh import BORDER, Mesh
from duplex.app.scene.orbits import Orbit
from duplex.baking.fields.field import Teacher
from duplex.baking.geometry.gbuffers import Rasterizer
from duplex.baking.geometry.seen import FADING, LEAST_CAMERAS, count_cameras, with_seen
from duplex.baking.rig import Rig

PIXEL = 0.05  # world units, of the reference view
REFERENCE = ReferenceView((0.5, 0.5, 0), 1e5, 1e5 / PIXEL)
CELLS = 40


def sheet(height: float = 0.0) -> Mesh:
    """A unit square of CELLS x CELLS pairs of faces that look up, in a plane z = ``height``; no vertex is shared."""
    x, y = (axis.reshape(-1) for axis in np.meshgrid(np.arange(CELLS), np.arange(CELLS), indexing="ij"))
    corners = np.array([[[0, 0], [1, 0], [0, 1]], [[1, 0], [1, 1], [0, 1]]])
    flat = (np.stack([x, y], -1)[:, None, None] + corners).reshape(-1, 2) / CELLS
    positions = np.concatenate([flat, np.full((len(flat), 1), height)], 1).astype(np.float32)
    return Mesh(positions, flat.astype(np.float32), np.arange(len(flat), dtype=np.int32).reshape(-1, 3))


def center(mesh: Mesh) -> Array:
    return mesh.positions[mesh.faces].mean(1)


def from_above(x: float, pixels: int = 60, height: float = 2.0) -> Camera:
    pose = look_at(np.array([x, 0.5, height]), np.array([x, 0.5, 0]), np.array([0, 1.0, 0]))
    return Camera.from_fov(pose, pixels, pixels, 2 * np.arctan(0.25 / height))


def test_each_camera_counts_once_and_only_where_it_looks(ctx: moderngl.Context) -> None:
    outer, inner = sheet(0.1), sheet()
    cameras = [from_above(0.25), from_above(0.25, height=1.0), from_above(0.75)]
    counts = count_cameras(Rasterizer(ctx, outer, inner), cameras)
    x, y = center(outer)[:, :2].T
    band = abs(y - 0.5) < 0.15
    left, right = band & (abs(x - 0.25) < 0.15), band & (abs(x - 0.75) < 0.15)
    for count in counts:
        assert (count[left] == 2).all() and (count[right] == 1).all() and not count[abs(y - 0.5) > 0.4].any()
    assert not any(x.any() for x in count_cameras(Rasterizer(ctx, outer, inner), []))


def test_values_end_at_the_border_and_fade_by_distance() -> None:
    mesh = sheet()
    x = center(mesh)[:, 0]
    found = with_seen(mesh, np.where(x < 0.25, LEAST_CAMERAS, LEAST_CAMERAS - 1), REFERENCE).seen
    assert found is not None
    place = mesh.positions[:, 0]
    assert (found[place < 0.25 - 1e-6] == 1).all()
    at_border = abs(place - 0.25) < 1e-6
    assert found[at_border] == pytest.approx(BORDER)
    beyond = place > 0.25 + 1e-6
    wanted = BORDER * (1 - (place - 0.25) / PIXEL / FADING).clip(0, 1)
    inside = beyond & (abs(mesh.positions[:, 1] - 0.5) < 0.05)  # far from where the sheet ends
    assert found[inside & (place < 0.5)] == pytest.approx(wanted[inside & (place < 0.5)], abs=0.5 / 255 + 1e-4)
    assert (found[beyond] <= wanted[beyond] + 0.5 / 255 + 1e-6).all()
    assert (found[beyond & (place > 0.25 + FADING * PIXEL)] == 0).all()


def test_values_are_0_where_the_shell_is_cut_off() -> None:
    mesh = sheet()
    x = center(mesh)[:, 0]
    found = with_seen(mesh, np.where(x < 0.9, LEAST_CAMERAS, 0), REFERENCE).seen  # 2 pixels are left behind it
    assert found is not None
    place = mesh.positions[:, 0]
    inside = abs(mesh.positions[:, 1] - 0.5) < 0.05
    assert (found[place < 0.9 - 1e-6] == 1).all()
    assert not found[place > 1 - 1e-6].any()
    middle = found[inside & (abs(place - 0.95) < 1e-6)]
    assert middle == pytest.approx(BORDER / 2, abs=0.01)


def test_no_corner_of_an_unseen_face_is_above_the_border_and_holes_do_not_fade() -> None:
    mesh = sheet()
    counts = np.full(len(mesh.faces), 9)
    x, y = center(mesh)[:, :2].T
    within = np.flatnonzero((abs(x - 0.5) < 0.4) & (abs(y - 0.5) < 0.4))
    missed = np.random.default_rng(0).choice(within, 40, replace=False)
    counts[missed] = 0
    found = with_seen(mesh, counts, REFERENCE).seen
    assert found is not None
    assert found[mesh.faces[missed]].max() <= np.float32(BORDER)
    assert found.min() == pytest.approx(BORDER)  # which is opaque when the viewer fades


def test_specks_amid_the_unseen_do_not_count() -> None:
    mesh = sheet()
    counts = np.zeros(len(mesh.faces), int)
    x, y = center(mesh)[:, :2].T
    counts[(abs(x - 0.2) < 0.02) & (abs(y - 0.2) < 0.02)] = 9
    found = with_seen(mesh, counts, REFERENCE).seen
    assert found is not None and not found.any()
    counts[x > 0.5] = 9
    found = with_seen(mesh, counts, REFERENCE).seen
    assert found is not None and (found > 0.9).any()


def test_a_shell_that_was_all_seen_has_no_values() -> None:
    mesh = sheet()
    assert with_seen(mesh, np.full(len(mesh.faces), LEAST_CAMERAS), REFERENCE).seen is None


@pytest.mark.system
def test_hidden_are_all_pixels_of_faces_that_fewer_than_two_cameras_saw(
    shells: tuple[Mesh, Mesh], teacher: Teacher, ctx: moderngl.Context
) -> None:
    rig = Rig.from_scene(replace(teacher.scene, hemisphere=True))
    cameras = [x for x in rig.cameras(400, 80, np.random.default_rng(0)) if x.position @ rig.up > 0.6 * rig.radius]
    rasterizer = Rasterizer(ctx, *shells)
    counts = count_cameras(rasterizer, cameras)
    reference = rig.reference_view(80)
    valued = [with_seen(shell, count, reference) for shell, count in zip(shells, counts, strict=True)]
    renderer = Renderer(ctx, opaque(valued))
    hidden = FrameOptions(background=TRANSPARENT, unseen=Unseen.HIDE)
    lowest = min(rig.reach(cameras)["elevations"])
    checked = 0
    for i in range(4):
        below = Orbit(rig.center, rig.radius, rig.up, rig.fov, lowest - np.radians(30)).camera(i / 4, 120, 120)
        alpha = renderer.image(below, hidden)[..., 3]
        assert renderer.image(below, replace(hidden, unseen=Unseen.SHOW))[..., 3].max() == 255
        for layer, count in zip(rasterizer.layers(below), counts, strict=True):
            unseen = (layer.face >= 0) & (count < LEAST_CAMERAS)[layer.face]
            checked += unseen.sum()
            assert not alpha[unseen].any()
    assert checked > 500
    for camera in cameras[:4]:  # where cameras stood, nothing is missing
        pictures = {x: renderer.image(camera, replace(hidden, unseen=x))[..., 3] / 255 for x in Unseen}
        shown = pictures[Unseen.SHOW]
        assert np.abs(pictures[Unseen.FADE] - shown).max() < 0.02
        assert np.abs(pictures[Unseen.HIDE] - shown).sum() < 0.06 * shown.sum()  # a pixel along the border
