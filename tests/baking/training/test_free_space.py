"""What lines of sight to known points tell of the space before them."""

from __future__ import annotations

import numpy as np
import torch

from duplex.baking.datasets.frames import SparsePoints
from duplex.baking.fields.spaces import Contracted
from duplex.baking.training.free_space import CELLS, free_cells, without

BOX = torch.tensor([[-2.0] * 3, [2.0] * 3])


def cell_of(point: tuple[float, float, float], space: Contracted) -> tuple[int, ...]:
    unit = (space.warp(torch.tensor([point])) - BOX[0]) / (BOX[1] - BOX[0])
    x, y, z = (unit[0] * CELLS).long().tolist()
    return z, y, x


def wall_seen_from(eyes: np.ndarray, rng: np.random.Generator) -> SparsePoints:
    """2,000 points of a wall at x = 3, each seen from every eye."""
    points = np.stack([np.full(2000, 3.0), *rng.uniform(-1.5, 1.5, (2, 2000))], -1)
    pairs = np.stack(np.meshgrid(np.arange(len(eyes)), np.arange(2000), indexing="ij"), -1).reshape(-1, 2)
    return SparsePoints(points, eyes, pairs)


def test_what_cameras_see_through_is_empty_and_what_they_see_is_not() -> None:
    rng = np.random.default_rng(0)
    space = Contracted(radius=2.0)
    eyes = np.array([[-1.0, 0.2 * i, 0.0] for i in range(-2, 3)])
    empty = free_cells(wall_seen_from(eyes, rng), space, BOX)
    for x in (-0.7, 0.0, 1.0, 2.0):
        assert bool(empty[cell_of((x, 0.0, 0.0), space)]), x
    for point in ((3.0, 0.1, 0.1), (3.2, 0.0, 0.0), (4.0, 0.0, 0.0), (-1.5, 0.0, 0.0), (0.0, 1.9, 0.0)):
        assert not bool(empty[cell_of(point, space)]), point
    assert 0.01 < float(empty.float().mean()) < 0.2


def test_a_few_lines_of_sight_prove_nothing() -> None:
    wrong = SparsePoints(np.array([[3.0, 0, 0], [3.0, 0.01, 0]]), np.array([[-1.0, 0, 0]]), np.array([[0, 0], [0, 1]]))
    assert not free_cells(wrong, Contracted(radius=2.0), BOX).any()
    nothing = SparsePoints(np.zeros((0, 3)), np.zeros((1, 3)), np.zeros((0, 2), np.int64))
    assert not free_cells(nothing, Contracted(), BOX).any()


def test_vertices_in_empty_cells_are_left_out() -> None:
    empty = torch.zeros(CELLS, CELLS, CELLS, dtype=torch.bool)
    empty[: CELLS // 2] = True  # low z
    kept = without(torch.ones(9, 5, 7, dtype=torch.bool), empty)
    assert not kept[:4].any() and kept[5:].all()
