"""A part cut out of a scene."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.fields.spaces import Contracted, World
from duplex.baking.geometry.crop import CropRegion


def _full(half: float, count: int = 33) -> DensityGrid:
    step = 2 * half / (count - 1)
    return DensityGrid(np.ones((count,) * 3, np.float32), np.full(3, -half), step)


def test_a_box_and_a_ball_keep_what_is_in_them() -> None:
    points = np.array([[0, 0, 0], [0.9, 0.9, 0.9], [0.9, 0, 0], [1.1, 0, 0]])
    assert CropRegion.of([-1, -1, -1, 1, 1, 1], np.eye(4)).holds(points).tolist() == [True, True, True, False]
    assert CropRegion.of("sphere:0,0,0,1", np.eye(4)).holds(points).tolist() == [True, False, True, False]
    assert CropRegion.of(["sphere:0,0,0,1"], np.eye(4)).center.tolist() == [0, 0, 0]


def test_numbers_are_those_of_the_datasets_frame() -> None:
    to_dataset = np.array([[0, 2, 0, 5], [2, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1.0]])  # twice as large, turned, moved
    crop = CropRegion.of("sphere:5,4,0,1", to_dataset)
    assert crop.center.tolist() == [2, 0, 0]
    assert crop.holds(np.array([[2.4, 0, 0], [2.6, 0, 0]])).tolist() == [True, False]


@pytest.mark.parametrize("space", [World(), Contracted()])
def test_samples_outside_have_no_matter(space: World | Contracted) -> None:
    kept = CropRegion.of([-0.5, -0.5, -0.5, 0.5, 0.5, 3], np.eye(4)).applied(_full(1.9), space)
    x, y, z = np.meshgrid(*kept.axes(), indexing="ij")
    far = np.linalg.norm(np.stack([x, y, z]), axis=0)
    assert kept.sigma[far < 0.45].all() and not kept.sigma[np.abs(x) > 0.6].any() and not kept.sigma[z < -0.6].any()
    assert kept.cleared is not None and (kept.cleared == (kept.sigma == 0)).all()
    above = kept.sigma[(np.abs(x) < 0.1) & (np.abs(y) < 0.1) & (z > 1.75)]  # in the world at 4, contracted
    assert above.all() if isinstance(space, World) else not above.any()


@pytest.mark.parametrize(
    "given",
    [
        "box", "sphere:", "sphere:1,2,3", "sphere:0,0,0,0", "sphere:0,0,0,-1", "sphere:0,0,nan,1", ["1", "2", "3", "4"],
        [0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, float("inf")], ["0"] * 7, [], ["sphere:0,0,0,1", "2"],
    ],
)  # fmt: skip
def test_anything_else_is_refused(given: str | list[float]) -> None:
    with pytest.raises(DuplexError, match=r"^--crop .*: expected low x y z, then a larger high x y z, or sphere:"):
        CropRegion.of(given, np.eye(4))
