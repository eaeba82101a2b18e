"""YAML without objects and without multiplying aliases."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders.hostile import at_most
from duplex.app.core.errors import MAX_SENTENCE, DuplexError
from duplex.baking.checkpoints.files import yaml_beside
from duplex.baking.checkpoints.formats.plain_yaml import MAX_BYTES, read_yaml
from duplex.baking.checkpoints.formats.values import Broken
from duplex.baking.checkpoints.tree import CheckpointNode


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, -7, +3, 0x1f, 0o17, 1.5, .5, 1e3, -2E-2]", [1, -7, 3, 31, 15, 1.5, 0.5, 1000.0, -0.02]),
        ("[true, No, ~, null, on, yesterday, '1', \"2\"]", [True, False, None, None, True, "yesterday", "1", "2"]),
        ("a: {b: [c, {d: e}]}\n5: x", {"a": {"b": ["c", {"d": "e"}]}, 5: "x"}),
        ("x: !!python/object/apply:os.system ['true']", {"x": ["true"]}),
        ("x: !!python/name:os.system ''\ny: !!int '3'", {"x": "", "y": "3"}),
        ("a: &a [1]\nb: *a\n? [1]\n: gone", {"a": [1], "b": [1]}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("a\n---\nb", "a"),
        ("", None),
        ("x: 1:59:59", {"x": "1:59:59"}),
        (f"x: {'9' * 41}", {"x": "9" * 41}),
        ("x: 2001-01-01", {"x": "2001-01-01"}),
        ("a: {x: 1}\nb: {<<: {y: 2}}", {"a": {"x": 1}, "b": {"<<": {"y": 2}}}),
    ],
)
def test_yaml_is_plain_data(text: str, expected: Any) -> None:
    assert read_yaml(text) == expected


def test_infinity_and_no_number() -> None:
    found = read_yaml("[.inf, -.inf, 1e999999, .nan]")
    assert found[:3] == [math.inf, -math.inf, math.inf] and math.isnan(found[3])


def doubled(line: str) -> str:
    """Thirty anchored values, each of which holds the one before twice."""
    return "z0: &a0 {x: 1}\n" + "".join(line.format(k=k, j=k - 1) for k in range(1, 30))


@pytest.mark.parametrize(
    "line",
    ["z{k}: &a{k} [*a{j},*a{j}]\n", "z{k}: &a{k} {{<<: [*a{j}, *a{j}]}}\n", "z{k}: &a{k} {{p: *a{j}, q: *a{j}}}\n"],
)
def test_aliases_cannot_multiply(line: str) -> None:
    content = read_yaml(doubled(line) + "near: *a29\n")
    assert content["z0"] == {"x": 1} and content["near"] is content["z29"]
    node = CheckpointNode(content, "config.yml")
    asks: tuple[Callable[[], object], ...] = (
        lambda: node.number("near", 0, 1),
        lambda: node.text("near"),
        lambda: node.flag("near"),
        lambda: node.numbers("near", 3),
    )
    for ask in asks:
        with pytest.raises(DuplexError, match=r"near: (a list|an object)") as error:
            ask()
        assert len(str(error.value)) < MAX_SENTENCE


def test_a_value_that_holds_itself_is_not_followed() -> None:
    node = CheckpointNode(read_yaml("a: &x [*x]\nb: &y {c: *y}\nd: *x"), "config.yml")
    assert node.at("a", 0, 0, 0).is_list and node.at("b", "c", "c").is_object
    for key in ("a", "d"):
        with pytest.raises(DuplexError, match=f"{key}: a list of 1"):
            node.number(key, 0, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 2000, "brackets"),
        ("{a: " * 1001, "brackets"),
        ("[" * 500, "too deep"),
        ("- " * 5000, "too deep"),
        ("? " * 500, "too deep"),
        ("".join(" " * i + "a:\n" for i in range(200)), "too deep"),
        ("a" * (MAX_BYTES + 1), "characters"),
        (f"near: 1{':59' * 300_000}", "characters"),
        (f"near: 0x{'f' * 900_000}", "characters"),
        ("*a", "alias"),
        ("a: *b\nb: &b 1", "alias"),
        ("[1, 2", "flow sequence"),
        ("a: b: c", "mapping"),
        ("a: \x00", "allowed"),
        ("%YAML 9.9\n---\na", "version"),
        ("!<", "tag"),
    ],
)
def test_what_is_too_much_or_no_yaml_is_broken(text: str, words: str) -> None:
    with pytest.raises(Broken, match=words):
        read_yaml(text)


@pytest.mark.parametrize("digits", [":59" * 40_000, "_0" * 60_000, "e" + "9" * 100_000, "9" * 100_000, "." * 100_000])
def test_no_number_is_longer_than_numbers_are(digits: str) -> None:
    assert read_yaml(f"near: 1{digits}") == {"near": f"1{digits}"}


@pytest.mark.parametrize(
    "part", ["- a\n", "a, ", "- &a x\n", "-\n", "#\n", "? a\n", "a\n", "'' ", "- !!str a\n", "a:\n", "\\x41", "- *a\n"]
)
@pytest.mark.parametrize("before", ["- &a x\n", "[", '"', "a: >\n"])
def test_no_text_takes_long(before: str, part: str) -> None:
    text = before + part * (MAX_BYTES // 3 // len(part))
    with at_most(2), contextlib.suppress(Broken):
        read_yaml(text)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"a: \x1b[2J{", b"a: [\n" + b"x" * 5000, b"\xef\xbb\xbf[1", b"a" * (1 << 21)]
)
def test_a_file_of_broken_yaml_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.yml").write_bytes(content)
    with pytest.raises(DuplexError, match=r"config\.yml") as error:
        yaml_beside(tmp_path / "config.yml", "nerfstudio").section("pipeline")
    text = str(error.value).replace(str(tmp_path), "")
    assert text.isprintable() and len(text) <= MAX_SENTENCE
