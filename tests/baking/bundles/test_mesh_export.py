"""Meshes and cameras for other programs, from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle
from duplex.baking.bundles.mesh_export import export_meshes


def test_every_written_file_is_returned(demo: Bundle, tmp_path: Path) -> None:
    files = export_meshes(demo, tmp_path / "new" / "folder", "ply", "bundle")
    assert [file.path.name for file in files] == ["outer.ply", "inner.ply", "transforms.json"]
    assert [file.count for file in files] == [len(demo.outer.mesh.faces), len(demo.inner.mesh.faces), len(demo.cameras)]
    mesh = trimesh.load(files[0].path, process=False)
    assert np.allclose(mesh.vertices, demo.outer.mesh.positions, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [(("fbx",), "--format 'fbx': expected ply, obj"), (("ply", "blender"), "--frame 'blender': expected dataset")],
)
def test_unknown_names_are_refused_before_anything_is_written(
    demo: Bundle, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    with pytest.raises(DuplexError, match=words):
        export_meshes(demo, tmp_path / "out", *options)
    assert not list(tmp_path.iterdir())
