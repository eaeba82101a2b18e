"""``duplex-bake export``, as a user types it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from builders.frames import similarity
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.baking.commands import export as export_cli
from duplex.baking.datasets.reading import read_cameras


@pytest.mark.parametrize("kind", ["ply", "obj", "glb", "stl"])
def test_export_comes_back_in_the_users_frame(demo: Bundle, tmp_path: Path, kind: str) -> None:
    file, out = tmp_path / "scene.bundle", tmp_path / "out"
    file.write_bytes(write_bundle(replace(demo, to_dataset=similarity())))
    assert export_cli.main([str(file), "-o", str(out), "--format", kind]) == 0
    mesh = trimesh.load(out / f"outer.{kind}", force="mesh", process=False)
    outer = demo.outer.mesh
    corners = outer.positions[outer.faces].astype(np.float64)  # some formats reorder, none move triangles
    wanted = corners @ similarity()[:3, :3].T + similarity()[:3, 3]
    assert np.allclose(np.sort(mesh.triangles_center, 0), np.sort(wanted.mean(1), 0), atol=1e-4)
    assert mesh.area == pytest.approx(2.5**2 * trimesh.Trimesh(outer.positions, outer.faces).area, rel=1e-4)
    camera, source = read_cameras(out, "train", 0.0)[1], demo.cameras
    moved = [c.moved(similarity()) for c in source]
    nearest = min(moved, key=lambda c: np.abs(c.camera_to_world - camera.camera_to_world).max())
    assert np.allclose(nearest.camera_to_world, camera.camera_to_world, atol=1e-6)
    assert (camera.fx, camera.width) == pytest.approx((nearest.fx, nearest.width))


def test_export_refuses_in_one_sentence(demo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export_cli.main([str(demo_file), "-o", str(demo_file)]) == 2
    assert "expected the folder to write into" in capsys.readouterr().err
    assert export_cli.main([str(tmp_path / "none"), "-o", str(tmp_path)]) == 2
