"""The order of faces and vertices."""

from __future__ import annotations

import numpy as np

from duplex.app.scene.mesh import Mesh
from duplex.baking.geometry.locality import in_order


def test_neighbours_in_space_are_neighbours_in_the_file(shells: tuple[Mesh, Mesh]) -> None:
    shell = shells[0]
    shuffled = np.random.default_rng(0).permutation(len(shell.faces))
    mixed = Mesh(
        np.r_[shell.positions, [[9, 9, 9]]].astype(np.float32),
        np.r_[shell.uvs, [[0, 0]]].astype(np.float32),
        shell.faces[shuffled],
    )
    found = in_order(mixed)

    def corners(s: Mesh) -> np.ndarray:
        whole = np.concatenate([s.positions, s.uvs], 1)[s.faces].reshape(len(s.faces), -1)
        return whole[np.lexsort(whole.T)]

    assert np.array_equal(corners(found), corners(mixed))  # the same faces, each still begun at its corner
    assert len(found.positions) == len(shell.positions)  # and no vertex that none of them has
    _, first = np.unique(found.faces, return_index=True)
    assert (np.diff(first) > 0).all()
    steps = [np.linalg.norm(np.diff(s.positions[s.faces].mean(1), axis=0), axis=1).mean() for s in (found, mixed)]
    assert steps[0] < 0.1 * steps[1]
