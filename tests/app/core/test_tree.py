"""The checked way from a stranger's tree to its values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError, in_short
from duplex.app.core.tree import MAX_SHOWN, MAX_VALUES, Node, parse_json, shown

TREE = {
    "near": 2,
    "far": 6.5,
    "side": 800.0,
    "white": True,
    "name": "lego",
    "rows": [[1, 2], [3, 4.5]],
    "empty": None,
    "frames": [{"w": 3}, {"w": "x" * 5000}],
}


def node() -> Node:
    return Node(TREE, "a.json")


def test_values_come_as_what_was_asked_for() -> None:
    tree = node()
    assert (tree.number("near", 0, 9), tree.number("far", 0, 9), tree.whole("side", 1, 900)) == (2.0, 6.5, 800)
    assert tree.flag("white") and tree.text("name", among=("lego", "ship")) == "lego"
    assert tree.numbers("rows", 4).tolist() == [1, 2, 3, 4.5]
    assert [frame.name for frame in tree.elements("frames", 2)] == ["a.json: frames 0", "a.json: frames 1"]
    assert tree.child("frames").child(0).whole("w", 1, 3) == 3
    assert "near" in tree and "empty" not in tree and tree.keys()[1] == "far"
    assert tree.number("empty", 0, 1, default=0.5) == 0.5 and tree.flag("absent", default=False) is False
    assert tree.elements("absent", 5) == [] and tree.numbers("absent", 2, default=(0, 1)).tolist() == [0, 1]


WRONG: list[tuple[Callable[[Node], object], str]] = [
    (lambda n: n.number("near", 3, 9), "a.json: near: 2: expected a number from 3 to 9"),
    (lambda n: n.number("white", 0, 9), "white: True: expected a number"),
    (lambda n: n.number("name", 0, 9), "lego"),
    (lambda n: n.number("absent", 0, 9), "absent: missing"),
    (lambda n: n.whole("far", 0, 9), "6.5: expected a whole number"),
    (lambda n: n.flag("near"), "true or false"),
    (lambda n: n.text("near"), "a text"),
    (lambda n: n.text("name", among=("ship",)), "expected one of ship"),
    (lambda n: n.text("name", longest=3), "at most 3"),
    (lambda n: n.numbers("rows", 3), "3 finite numbers"),
    (lambda n: n.numbers("near", 1), "1 finite number"),
    (lambda n: n.elements("frames", 1), "a list of 2: expected a list of 0 to 1"),
    (lambda n: n.elements("absent", 1, least=1), "missing"),
    (lambda n: n.child("near").child("x"), "near: 2: expected x in it: correct it"),
    (lambda n: n.child("frames").child(2), "missing"),
    (lambda n: n.child("frames").child(1).number("w", 0, 1), "frames 1: w: xxx"),
    (lambda n: n.child("k" * 1000), "kkk"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_anything_else_is_one_short_sentence(number: int) -> None:
    ask, words = WRONG[number]
    with pytest.raises(DuplexError) as error:
        ask(node())
    text = str(error.value)
    assert text.startswith("a.json") and "\n" not in text and len(text) < 300 and words in text


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**4000, -(10**400), True, "1", {}])
def test_what_is_no_finite_number_passes_nowhere(number: object) -> None:
    tree = Node({"one": number, "some": [number]}, "x")
    for ask in (
        lambda: tree.number("one", -1e300, 1e300),
        lambda: tree.whole("one", -(10**18), 10**18),
        lambda: tree.numbers("some", 1),
    ):
        with pytest.raises(DuplexError):
            ask()


def test_values_are_shown_in_short_whatever_they_are() -> None:
    deep: list[object] = []
    for _ in range(60):
        deep = [deep, deep]
    hostile = ["x" * 10**6, "a\nb\x1b[2J", 10**4000, deep, dict.fromkeys(range(10**5)), ValueError("y\n" * 10**5), b"z"]
    for value in hostile:
        text = shown(value)
        assert len(text) <= MAX_SHOWN and text.isprintable()
    assert shown("images/a.png") == "images/a.png" and shown(0.5) == "0.5"
    assert in_short("abcdefghij", 7) == "ab...ij" and in_short("abc", 3) == "abc"


def test_json_is_read_with_or_without_a_byte_order_mark() -> None:
    for tree in (TREE, [], "é😀", 3, {"near": math.inf}):
        assert parse_json(json.dumps(tree).encode()) == tree == parse_json(json.dumps(tree).encode("utf-8-sig"))
    assert np.isnan(parse_json(b"NaN"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 200_000,
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"a": 1, "a": 2}',
        b'[{"a": [], "b": 1, "a": 3}]',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"1" * 5000,
        b'"' + b"x" * 70_000 + b'"',
        b"[" + b"0," * MAX_VALUES + b"0]",
    ],
)
def test_json_beyond_the_bounds_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(content)
