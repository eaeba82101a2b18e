"""Meshes of two parts: positions, texture coordinates and what was seen are as they were, to their precision."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from builders.scenes.balls import wavy_ball
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.app.scene.codec.shell_mesh import read
from duplex.app.scene.mesh import Mesh
from duplex.baking.compression.geometry import compress_mesh

TEXELS = 256
SURROUNDINGS = MeshSpace("contracted", (0.1, 0.2, -0.1), 0.5, True, 20.0)


def middles(mesh: Mesh) -> tuple[Array, Array]:
    """Where the middle of each face is, and where in the texture."""
    return mesh.positions[mesh.faces].mean(1), mesh.uvs[mesh.faces].mean(1)


@pytest.mark.parametrize(("space", "bits"), [(MeshSpace(), 12), (MeshSpace(), 16), (SURROUNDINGS, 14)])
def test_a_mesh_is_as_it_was(space: MeshSpace, bits: int) -> None:
    mesh = wavy_ball(space)
    parts = compress_mesh(mesh, bits, space, TEXELS)
    assert parts is not None
    found = read(*parts, space, "x")
    assert len(found.faces) == len(mesh.faces)
    (places, uvs), (own, wanted) = middles(found), middles(mesh)
    distance, which = cKDTree(own).query(places)
    extent = np.ptp(mesh.positions, 0).max()
    assert np.quantile(distance, 0.99) < 2 * extent / (1 << bits) and len(np.unique(which)) == len(which)
    assert TEXELS * np.abs(uvs - wanted[which]).max() < 0.5
    assert found.seen is not None and mesh.seen is not None
    assert (found.seen[found.faces].mean(1) == mesh.seen[mesh.faces].mean(1)[which]).mean() > 0.99
    assert len(parts[0]) < 4 * len(mesh.faces)


def test_the_demo_s_meshes_take_a_tenth_of_their_bytes(demo: Bundle) -> None:
    for shell in (demo.outer, demo.inner):
        parts = compress_mesh(shell.mesh, 12, MeshSpace(), shell.texels.shape[1])
        assert parts is not None and len(parts[0]) < 70_000
        found = read(*parts, MeshSpace(), "x")
        assert len(found.faces) > 0.998 * len(shell.mesh.faces)


def test_an_atlas_of_another_kind_is_not_held() -> None:
    mesh = wavy_ball(MeshSpace())
    bent = Mesh(mesh.positions, (mesh.uvs**2).astype(np.float32), mesh.faces, mesh.seen)
    assert compress_mesh(bent, 12, MeshSpace(), TEXELS) is None
    assert compress_mesh(wavy_ball(SURROUNDINGS), 12, MeshSpace(), TEXELS) is None


def test_charts_of_another_mesh_are_refused() -> None:
    first, second = (compress_mesh(wavy_ball(MeshSpace()), bits, MeshSpace(), TEXELS) for bits in (8, 12))
    assert first is not None and second is not None
    for parts in ((first[0], second[1]), (first[0], b""), (first[0], first[1][:-8])):
        with pytest.raises(DuplexError, match="x: charts that do not fit"):
            read(*parts, MeshSpace(), "x")
