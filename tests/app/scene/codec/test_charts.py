"""Texture coordinates of charts: whole numbers, of any mesh, within bounds."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.app.scene.codec.charts import Charts, charts_of, directions_of, texture_coordinates

SQUARE = np.array([[0, 0, 7], [100, 0, 7], [100, 100, 7], [0, 100, 7]], np.uint16)
TWO = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
IDENTITY = [1 << 16, 0, 0, 10, 20]


def test_directions_are_those_of_the_normals_and_the_first_of_equal_ones() -> None:
    assert directions_of(SQUARE, TWO).tolist() == [2, 2]
    assert directions_of(SQUARE, TWO[:, ::-1]).tolist() == [5, 5]
    diagonal = np.array([[0, 0, 0], [0, 10, 10], [10, 0, 10]], np.uint16)
    normal = np.cross([0, 10, 10], [10, 0, 10])
    assert normal.tolist() == [100, 100, -100]
    assert directions_of(diagonal, np.array([[0, 1, 2]])).tolist() == [0]


def test_charts_are_connected_faces_of_one_kind_in_the_order_of_their_first_faces() -> None:
    strip = np.array([[i, i + 1, i + 2] for i in range(8)])
    kinds = np.array([0, 0, 1, 1, 0, 0, 0, 1])
    assert charts_of(strip, kinds).tolist() == [0, 0, 1, 1, 2, 2, 2, 3]
    assert charts_of(np.array([[0, 1, 2], [3, 4, 5], [2, 1, 6]]), np.zeros(3, int)).tolist() == [0, 1, 0]


def test_charts_of_a_long_strip_in_any_order() -> None:
    count = 3000
    strip = np.random.default_rng(0).permutation(np.array([[i, i + 1, i + 2] for i in range(count)]))
    assert not charts_of(strip, np.zeros(count, int)).any()


@pytest.mark.parametrize(
    ("similarity", "corner"),
    [
        (IDENTITY, (110, 120)),
        ([2 << 16, 0, 0, 0, 0], (200, 200)),
        ([0, 1 << 16, 0, 200, 0], (100, 100)),  # a quarter turn: u = -q + 200, v = p
        ([1 << 16, 0, 1, 0, 300], (100, 200)),  # mirrored: v = -q + 300
        ([1 << 15, 0, 0, 0, 0], (50, 50)),
    ],
)
def test_a_similarity_puts_a_projection_into_the_texture(similarity: list[int], corner: tuple[int, int]) -> None:
    charts = Charts(np.zeros(2, np.uint8), np.array([similarity], np.int32))
    vertex, uvs, faces = texture_coordinates(SQUARE, TWO, charts)
    assert vertex.tolist() == [0, 1, 2, 3] and faces.tolist() == TWO.tolist()
    assert tuple(uvs[2]) == corner and uvs.dtype == np.uint16


def test_vertices_are_split_where_charts_meet() -> None:
    charts = Charts(np.array([0, 6], np.uint8), np.array([IDENTITY, [1 << 16, 0, 0, 1000, 1000]], np.int32))
    vertex, uvs, faces = texture_coordinates(SQUARE, TWO, charts)
    assert vertex.tolist() == [0, 1, 2, 0, 2, 3] and faces.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert uvs[1].tolist() == [110, 20] and uvs[5].tolist() == [1000, 1100]


def test_a_turned_label_projects_along_another_axis() -> None:
    charts = Charts(np.full(2, 1, np.uint8), np.array([IDENTITY], np.int32))  # of +z: +x follows -z, so 3: -x
    _, uvs, _ = texture_coordinates(SQUARE, TWO, charts)
    assert uvs.tolist() == [[10, 27], [10, 27], [110, 27], [110, 27]]  # y and z


@pytest.mark.parametrize(
    ("labels", "maps", "reason"),
    [
        ([0], [IDENTITY], "1 labels of 2 faces"),
        ([0, 0], [IDENTITY, IDENTITY], "2 charts where the labels make 1"),
        ([0, 6], [IDENTITY], "1 charts where the labels make 2"),
        ([0, 0], [[1 << 16, 0, 2, 0, 0]], "beyond"),
        ([0, 0], [[1 << 16, 0, 0, -1, 0]], "beyond"),
        ([0, 0], [[1 << 16, 0, 0, 65500, 0]], "beyond"),
        ([0, 0], [[-(1 << 31), 0, 0, 0, 0]], "beyond"),
    ],
)
def test_charts_that_do_not_fit_are_refused(labels: list[int], maps: list[list[int]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        texture_coordinates(SQUARE, TWO, Charts(np.array(labels, np.uint8), np.array(maps, np.int32)))
