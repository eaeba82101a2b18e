from __future__ import annotations

import numpy as np

from duplex.app.core.arrays import Array
from duplex.baking.capture import pairs
from duplex.baking.capture.pairs import pairs_to_match


def views(count: int, rng: np.random.Generator) -> list[tuple[Array, Array]]:
    """Features of photos along a line, of which each shows what its five neighbours to both sides show."""
    world = rng.integers(0, 256, (count + 5, 40, 128), dtype=np.uint8)
    return [(rng.random(240).astype(np.float32), world[i : i + 6].reshape(-1, 128)) for i in range(count)]


def test_few_photos_are_all_matched() -> None:
    assert len(pairs_to_match(views(6, np.random.default_rng(0)), False)) == 15


def test_of_many_photos_those_that_share_something_are_matched() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(45)
    in_line = views(45, rng)
    found = pairs_to_match([in_line[i] for i in order], False)
    place = {position: int(i) for position, i in enumerate(order)}
    near = {(a, b) for a in range(45) for b in range(a + 1, 45) if abs(place[a] - place[b]) <= 5}
    following = {(a, b) for a in range(45) for b in range(a + 1, 45) if b - a <= pairs.NEIGHBOURS}
    assert set(found) >= near | following
    assert len(set(found) - near - following) < 20
    assert found == sorted(set(found))


def test_frames_of_a_video_are_matched_with_those_that_follow() -> None:
    nothing = [(np.zeros(0, np.float32), np.zeros((0, 128), np.uint8))] * 50
    found = pairs_to_match(nothing, True)
    assert set(found) == {(i, j) for i in range(50) for j in range(i + 1, min(i + 11, 50))}
