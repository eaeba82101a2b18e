"""``duplex-bake inspect`` and ``duplex-bake export``, as a user types them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic
import trimesh
from PIL import Image

from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle, write_bundle
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.commands import export as export_cli
from duplex.baking.commands import inspect as inspect_cli
from duplex.baking.datasets.reading import read_cameras
from duplex.baking.fields.field import SceneInfo
from duplex.baking.rig import Rig


def test_inspect_says_what_a_checkpoint_is_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = synthetic.write_nerf_pytorch(tmp_path / "000007.tar")
    assert inspect_cli.main([str(file), "--size", "64"]) == 0
    out, err = capsys.readouterr()
    assert "nerf-pytorch" in out and "3 layers of 8, skip into layer 2" in out and "10 frequencies" in out
    assert "no args.txt" in err and "no args.txt" in out
    picture = np.asarray(Image.open(tmp_path / "000007-preview.png"), np.float32) / 255
    assert picture.shape == (64, 64, 3)
    assert (picture[0] == 1).all() and picture[32, 32].min() < 0.9  # the octahedron on white

    assert inspect_cli.main([str(file), "--json", "--preview", str(tmp_path / "p.png"), "--background", "#000000"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["family"] == "nerf-pytorch" and found["near"] == 2 and found["background"] == [0, 0, 0]
    low, high = np.array(found["matter"])
    assert (low < -synthetic.RADIUS + 0.1).all() and (high > synthetic.RADIUS - 0.1).all() and np.abs(high).max() < 1.2
    assert np.asarray(Image.open(tmp_path / "p.png"))[0].max() == 0


def test_inspect_refuses_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n")
    for arguments, word in (
        ([str(tmp_path / "photo.png")], "not a checkpoint"),
        ([str(tmp_path / "none")], "no such file"),
        ([str(synthetic.write_flexible(tmp_path)), "--size", "1"], "--size 1"),
        ([str(tmp_path), "--background", "beige"], "--background beige"),
        ([str(tmp_path), "--data", str(tmp_path)], "no dataset"),
    ):
        assert inspect_cli.main(arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()
        assert len([line for line in error if line.startswith("error:")]) == 1 and word in error[-1]


def similarity() -> np.ndarray:
    turn = look_at(np.array([1.0, 2.0, 3.0]), np.zeros(3), np.array([0, 0, 1.0]))
    return np.diag([2.5, 2.5, 2.5, 1]) @ turn


@pytest.mark.parametrize("kind", ["ply", "obj", "glb", "stl"])
def test_export_comes_back_in_the_users_frame(demo: Bundle, tmp_path: Path, kind: str) -> None:
    file, out = tmp_path / "scene.bundle", tmp_path / "out"
    file.write_bytes(write_bundle(replace(demo, to_dataset=similarity())))
    assert export_cli.main([str(file), "-o", str(out), "--format", kind]) == 0
    mesh = trimesh.load(out / f"outer.{kind}", force="mesh", process=False)
    corners = demo.outer.positions[demo.outer.faces].astype(np.float64)  # some formats reorder, none move triangles
    wanted = corners @ similarity()[:3, :3].T + similarity()[:3, 3]
    assert np.allclose(np.sort(mesh.triangles_center, 0), np.sort(wanted.mean(1), 0), atol=1e-4)
    assert mesh.area == pytest.approx(2.5**2 * trimesh.Trimesh(demo.outer.positions, demo.outer.faces).area, rel=1e-4)
    camera, source = read_cameras(out, "train", 0.0)[1], demo.cameras
    moved = [c.moved(similarity()) for c in source]
    nearest = min(moved, key=lambda c: np.abs(c.camera_to_world - camera.camera_to_world).max())
    assert np.allclose(nearest.camera_to_world, camera.camera_to_world, atol=1e-6)
    assert (camera.fx, camera.width) == pytest.approx((nearest.fx, nearest.width))


def test_export_refuses_in_one_sentence(demo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export_cli.main([str(demo_file), "-o", str(demo_file)]) == 2
    assert "expected the folder to write into" in capsys.readouterr().err
    assert export_cli.main([str(tmp_path / "none"), "-o", str(tmp_path)]) == 2


def test_a_moved_camera_sees_the_moved_world() -> None:
    camera = Camera.from_fov(look_at(np.array([3.0, 1.0, 0.5]), np.zeros(3), np.array([0, 0, 1.0])), 40, 30, 0.7)
    point, matrix = np.array([0.2, -0.1, 0.3, 1.0]), similarity()

    def pixel(seen_by: Camera, place: np.ndarray) -> np.ndarray:
        x, y, z = (seen_by.view_matrix() @ place)[:3]
        return np.array([seen_by.cx - seen_by.fx * x / z, seen_by.cy + seen_by.fy * y / z])

    assert np.allclose(pixel(camera, point), pixel(camera.moved(matrix), matrix @ point))


def test_a_rig_stands_around_what_its_cameras_look_at() -> None:
    target, up = np.array([5.0, -2.0, 1.0]), np.array([0, 0, 1.0])
    cameras = [
        Camera.from_fov(look_at(target + 3 * np.array([math.cos(a), math.sin(a), 0.4]), target, up), 40, 30, 0.7)
        for a in np.linspace(0, 6, 9)
    ]
    rig = Rig.from_cameras(cameras, SceneInfo(), forward=False)
    assert np.allclose(rig.center, target, atol=1e-6) and rig.radius == pytest.approx(3 * math.hypot(1, 0.4))
    parallel = [replace(c, camera_to_world=np.vstack([c.camera_to_world[:3], [0, 0, 0, 1]])) for c in cameras[:3]]
    forward = Rig.from_cameras(parallel, SceneInfo(), forward=True)
    assert forward.surrounded and Rig.from_json(forward.to_json()).forward
    from_the_eye = Rig.from_cameras(parallel, replace(SceneInfo(), near=0), forward=True)
    assert from_the_eye.radius > 0 and all(np.isfinite(c.camera_to_world).all() for c in from_the_eye.evenly(4, 32))
    with pytest.raises(DuplexError):
        from duplex.app.scene.orbits import way_from_rig

        way_from_rig({**forward.to_json(), "radius": "?"})
