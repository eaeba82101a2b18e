"""Mutations of trees as JSON and msgpack hold them: lists, dictionaries and what hangs on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from fuzzing.mutators import raw, values

# JSON that no tree of Python gives: a text "@3" in the tree becomes the third of these.
SNIPPETS = (
    "[" * 200 + "]" * 200, "[" * 100_000, '{"a":' * 3000 + "1" + "}" * 3000, "1e999", "-1e999", "NaN", "-Infinity",
    "9" * 400, "9" * 5000, "1" + "0" * 308 + ".5", "-0", "1e-400", "0.1e1", '{"a":1,"a":2}', '"\\ud800"', "01",
    "[1,]", "[" + "0," * 3000 + "0]", '{"format":"duplex","format":1}', "true", "null", '"\\u0000"',
)  # fmt: skip


def mutated_json(content: bytes, random: Random) -> bytes:
    """A JSON file with one change in its tree, or in its text where it is no JSON."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return raw.mutated(content, random)
    text = json.dumps(mutated(tree, random))
    for i, snippet in enumerate(SNIPPETS):
        if f'"@{i}"' in text:
            text = text.replace(f'"@{i}"', snippet)
    return text.encode()


def mutated(tree: Any, random: Random, leaf: Callable[[Any, Random], Any] | None = None) -> Any:
    """The tree with one change; the tree itself may be changed. ``leaf``: what becomes of other values than JSON's."""
    holder: Any = None
    key: Any = None
    place = tree
    while isinstance(place, dict | list) and place and (holder is None or random.random() < 0.85):
        holder = place
        key = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
        place = holder[key]
    if holder is None or random.random() < 0.02:
        return _changed(tree, random, leaf)
    _change_place(holder, key, random, leaf)
    return tree


def _change_place(holder: Any, key: Any, random: Random, leaf: Callable[[Any, Random], Any] | None) -> None:
    """Change what ``holder`` has at ``key``, or the place itself."""
    kind = random.randrange(10)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[values.text(random, str(key))] = holder.pop(key)
    elif kind == 1:
        holder.insert(key, holder[key])
    elif kind == 2:
        other = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
        holder[key], holder[other] = holder[other], holder[key]
    elif kind == 3 and isinstance(holder, list):
        holder.extend(holder[:50] * random.choice((1, 3, 20)))
    else:
        holder[key] = _changed(holder[key], random, leaf)


def _changed(value: Any, random: Random, leaf: Callable[[Any, Random], Any] | None) -> Any:
    """Another value: similar to this one, or of another kind."""
    if leaf and not isinstance(value, dict | list | str | int | float | None):
        return leaf(value, random)
    if random.random() < 0.5:
        if isinstance(value, bool) or value is None:
            return random.choice((True, False, None, 0, 1))
        if isinstance(value, int):
            return values.whole(random, value)
        if isinstance(value, float):
            return values.real(random, value)
        if isinstance(value, str):
            return values.text(random, value)
    kind = random.randrange(9)
    if kind == 0:
        return [value] * random.choice((0, 1, 2, 3) if isinstance(value, dict | list) else (1, 16, 1000))
    if kind == 1:
        return {values.text(random): value}
    if kind == 2:
        return str(value)[:200]
    if kind == 3:
        return values.whole(random)
    if kind == 4:
        return values.real(random)
    if kind == 5:
        return values.text(random)
    if kind == 6:
        return random.choice((None, True, False, [], {}, [[]], [{}], [None] * 16))
    if kind == 7:
        return f"@{random.randrange(len(SNIPPETS))}"
    return _nested(value, random.choice((2, 20, 200)))


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value
