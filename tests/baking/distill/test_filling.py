"""Texels of what no camera saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from duplex.app.core.arrays import Array
from duplex.app.scene.bundle import BundleShell
from duplex.app.scene.mesh import BORDER, Mesh
from duplex.baking.distill.filling import filled

SIDE = 64
CELLS = 16


def strip(seen: Array, columns: slice = slice(None), height: float = 0.0) -> Mesh:
    """A square of 16 x 16 cells in the texture's unit square; ``seen``: value of each of the 17 columns of vertices."""
    across = np.linspace(0, 1, CELLS + 1)[columns]
    x, y = np.meshgrid(across, np.linspace(0, 1, CELLS + 1))
    n = len(across)
    low = (np.arange(CELLS)[:, None] * n + np.arange(n - 1)).reshape(-1)
    faces = np.concatenate([np.stack([low, low + 1, low + n + 1], 1), np.stack([low, low + n + 1, low + n], 1)])
    positions = np.stack([x, y, np.full_like(x, height)], -1).reshape(-1, 3).astype(np.float32)
    value = np.broadcast_to(seen[columns], x.shape).reshape(-1).astype(np.float32)
    return Mesh(positions, positions[:, :2].copy(), faces.astype(np.int32), value)


def learned(mesh: Mesh, low: int, high: int) -> BundleShell:
    """A shell whose left half of texels is ``low`` and whose right half is ``high``, in all eight features."""
    texels = np.full((2, SIDE, SIDE, 4), low, np.uint8)
    texels[:, :, SIDE // 2 :] = high
    return BundleShell(mesh, texels, np.full(8, 2, np.float32), np.full(8, -1, np.float32))


def middle_unseen() -> Array:
    value = np.ones(CELLS + 1)
    value[4:13] = 0
    value[[4, 12]] = BORDER
    return value


def test_what_was_not_seen_continues_what_was() -> None:
    texels = filled(learned(strip(middle_unseen()), 40, 200)).texels[:, :, SIDE // 4 + 2 : -SIDE // 4 - 2].astype(int)
    assert texels.min() > 40 and texels.max() < 200
    assert (np.diff(texels, axis=2) >= 0).all()  # from the left to the right, without a step
    assert np.diff(texels, axis=2).max() <= 8 and np.abs(texels[:, :, texels.shape[2] // 2] - 120).max() < 30


def test_texels_of_seen_faces_stay() -> None:
    before = learned(strip(middle_unseen()), 40, 200)
    after = filled(before)
    for part in (slice(0, SIDE // 4 + 1), slice(-SIDE // 4 - 1, None)):  # as far as the filter reads
        assert np.array_equal(after.texels[:, :, part], before.texels[:, :, part])


@pytest.mark.parametrize("value", [None, np.ones(CELLS + 1), np.zeros(CELLS + 1)], ids=["all", "ones", "none"])
def test_without_seen_and_unseen_parts_nothing_changes(value: Array | None) -> None:
    mesh = strip(np.ones(CELLS + 1) if value is None else value)
    shell = learned(replace(mesh, seen=None) if value is None else mesh, 40, 200)
    assert filled(shell) is shell


def test_a_part_with_no_edge_to_the_rest_continues_what_lies_beside_it() -> None:
    seen = np.ones(CELLS + 1)
    left = strip(seen, slice(0, 9))
    right = strip(0 * seen, slice(8, None), height=0.01)  # its rim lies beside the last column that was seen
    count = len(left.positions)
    both = Mesh(
        np.concatenate([left.positions, right.positions]),
        np.concatenate([left.uvs, right.uvs]),
        np.concatenate([left.faces, right.faces + count]),
        np.concatenate([left.seen, right.seen]),  # type: ignore[list-item]
    )
    shell = filled(learned(both, 90, 250))
    texels = shell.texels[:, 1:-1, SIDE // 2 + 2 :].astype(float)
    middle = 0.5 * (90 + 250)  # what the filter reads at the seam of the two halves, where the last seen vertices lie
    assert np.abs(texels - middle).max() < 12


def test_a_part_far_from_everything_takes_the_mean() -> None:
    value = np.ones(CELLS + 1)
    mesh = strip(value)
    far = Mesh(
        np.array([[9, 9, 9], [9.1, 9, 9], [9, 9.1, 9]], np.float32),
        np.array([[0.4, 0.4], [0.6, 0.4], [0.4, 0.6]], np.float32),
        np.array([[0, 1, 2]], np.int32),
        np.zeros(3, np.float32),
    )
    left = replace(mesh, uvs=mesh.uvs * np.array([0.25, 1], np.float32))  # leaves room for the other part
    both = Mesh(
        np.concatenate([left.positions, far.positions]),
        np.concatenate([left.uvs, far.uvs]),
        np.concatenate([left.faces, far.faces + len(left.positions)]),
        np.concatenate([left.seen, far.seen]),  # type: ignore[list-item]
    )
    shell = filled(learned(both, 60, 250))
    assert np.abs(shell.texels[:, 28:30, 28:30].astype(int) - 60).max() <= 1
