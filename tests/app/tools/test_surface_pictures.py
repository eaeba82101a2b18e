"""Depth and normals as files: the numbers are those of the mesh."""

from __future__ import annotations

from pathlib import Path

import av
import moderngl
import numpy as np
import pytest
from PIL import Image

from builders.viewer import viewer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.orbits import scene_orbit
from duplex.app.tools.surface_pictures import surface_of
from duplex.app.viewer.camera.raycast import first_meeting, pixel_ray


def exr(file: Path) -> np.ndarray:
    codec = av.CodecContext.create("exr", "r")
    frames = [*codec.decode(av.Packet(file.read_bytes())), *codec.decode(None)]
    return np.asarray(frames[0].to_ndarray())


def test_depth_and_normals_are_those_of_the_first_face(ctx: moderngl.Context, demo: Bundle) -> None:
    camera = scene_orbit(demo).camera(0.2, 90, 70)
    surface = surface_of(demo, camera, ctx)
    forward = -camera.camera_to_world[:3, 2]
    seen = 0
    for x, y in ((45, 35), (40, 50), (50, 20), (0, 0), (60, 40)):
        origin, direction = pixel_ray(camera, x + 0.5, y + 0.5)
        met = first_meeting(demo.outer.mesh, origin, direction)
        if met is None:
            assert surface.depth[y, x] == 0 and not surface.normals[y, x].any()
            continue
        seen += 1
        assert surface.depth[y, x] == pytest.approx(met.distance * (direction @ forward), rel=1e-3)
        a, b, c = demo.outer.mesh.positions[demo.outer.mesh.faces[met.face]].astype(float)
        normal = np.cross(b - a, c - a)
        assert surface.normals[y, x] @ normal / np.linalg.norm(normal) > 0.99
    assert seen >= 2


@pytest.mark.system
def test_files_hold_the_same_numbers(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("d.exr", "d.png", "n.exr", "n.png", "p.png")]
    size = ("--size", "96x64")
    first = viewer("--depth", names[0], "--normals", names[2], "--screenshot", names[4], *size)
    second = viewer("--depth", names[1], "--normals", names[3], *size)
    assert first.returncode == 0 and second.returncode == 0, first.stderr + second.stderr
    depth, normals = exr(names[0]), exr(names[2])
    with Image.open(names[1]) as picture:
        assert picture.mode.startswith("I") and "view axis" in picture.info["unit"]
        steps = np.asarray(picture).astype(float) * float(picture.info["scale"])
    assert depth.shape == (64, 96) and np.abs(steps - depth).max() < depth.max() / 60000 and steps.max() > 1
    colors = np.asarray(Image.open(names[3])).astype(float)
    met = depth > 0
    assert ((colors[..., 3] > 0) == met).all() and 0.05 < met.mean() < 0.95
    assert np.abs(colors[..., :3][met] / 127.5 - 1 - normals[met]).max() < 0.01
    alone = viewer("--depth", tmp_path / "d.jpg")
    assert alone.returncode == 2 and ".png or .exr" in alone.stderr
