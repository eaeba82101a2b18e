"""Data of a stranger's file: JSON read within bounds, and one checked way from such a tree to its values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, in_short

MAX_SHOWN = 80  # characters of a value in a message
MAX_DEPTH = 64
MAX_VALUES = 1_000_000
MAX_TEXT = 1 << 16  # characters
MAX_NUMBER = 1e9  # absolute value of a coordinate
MAX_DIGITS = 20  # of a whole number in a message

Key = str | int  # of an object, or a place in a list


class Node:
    """A value of such a tree, and its ``name`` in messages: the file, then the keys that lead to it.

    ``remedy``: the end of every message. Every method takes the key of a member (of an object) or its place (in a
    list). It returns what it says, or raises :class:`DuplexError` with the member's name, its value and what was
    expected. ``null`` counts as absent; a ``default`` stands for an absent member.
    """

    def __init__(self, value: object, name: str, remedy: str = "correct it"):
        self.value = value
        self.name = name
        self.remedy = remedy

    def child(self, key: Key) -> Self:
        """The member itself."""
        return self._node(self._member(key), self._name(key))

    def keys(self) -> list[Key]:
        """The keys of this object; none of anything else."""
        return list(self.value) if isinstance(self.value, dict) else []

    def __contains__(self, key: Key) -> bool:
        return self._find(key) is not None

    def number(self, key: Key, low: float, high: float, default: float | None = None) -> float:
        """A finite number from ``low`` to ``high``."""
        value = self._member(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.wrong(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, key: Key, low: int, high: int, default: int | None = None) -> int:
        """A whole number from ``low`` to ``high``; 3.0 is one too."""
        value = self._member(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or value % 1:
            raise self.wrong(key, f"a whole number from {low} to {high}")
        return int(value)

    def flag(self, key: Key, default: bool | None = None) -> bool:
        """True or false."""
        value = self._member(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def text(self, key: Key, among: Iterable[str] = (), default: str | None = None, longest: int = 1024) -> str:
        """A text of at most ``longest`` characters; one of ``among`` if that is given."""
        value = self._member(key, default)
        if not isinstance(value, str) or len(value) > longest:
            raise self.wrong(key, f"a text of at most {longest} characters")
        if among and value not in among:
            raise self.wrong(key, f"one of {', '.join(among)}")
        return value

    def numbers(self, key: Key, count: int, default: Iterable[float] | None = None, limit: float = MAX_NUMBER) -> Array:
        """``count`` finite numbers of less than ``limit`` in absolute value, flat or in rows, as (count,) float64."""
        value = self._member(key, None if default is None else list(default))
        rows = value if isinstance(value, list | tuple) and len(value) <= count else []
        flat = [x for row in rows for x in (row[: count + 1] if isinstance(row, list | tuple) else [row])]
        expected = f"{count} finite number{'s' * (count > 1)}"
        if len(flat) != count:
            raise self.wrong(key, expected)
        for x in flat:
            if isinstance(x, bool) or not isinstance(x, int | float) or not abs(x) < limit:
                raise self.error(f"{self._name(key)}: holds {shown(x)}: expected {expected}")
        return np.array(flat, np.float64)

    def elements(self, key: Key, most: int, least: int = 0) -> list[Self]:
        """The elements of a list of ``least`` to ``most``; an absent list is empty if ``least`` is 0."""
        value = self._member(key, None if least else [])
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            raise self.wrong(key, f"a list of {most}" if least == most else f"a list of {least} to {most}")
        name = self._name(key)
        return [self._node(element, f"{name} {i}") for i, element in enumerate(value)]

    def members(self, key: Key) -> dict[str, Any]:
        """An object, as it is."""
        return self.child(key).as_members()

    def as_members(self) -> dict[str, Any]:
        """This object itself, as it is."""
        if not isinstance(self.value, dict):
            raise self.error(f"{self.name}: {shown(self.value)}: expected an object")
        return self.value

    def wrong(self, key: Key, expected: str) -> DuplexError:
        """The error of a member that is not what was ``expected``."""
        return self.error(f"{self._name(key)}: {shown(self._find(key))}: expected {expected}")

    def error(self, text: str) -> DuplexError:
        """The error that says ``text``, then the remedy."""
        return DuplexError(f"{text}: {self.remedy}")

    def _node(self, value: object, name: str) -> Self:
        """A value below this one."""
        return type(self)(value, name, self.remedy)

    def _find(self, key: Key) -> object:
        if isinstance(self.value, dict):
            return self.value.get(key)
        if isinstance(self.value, list | tuple) and isinstance(key, int) and 0 <= key < len(self.value):
            return self.value[key]
        return None

    def _member(self, key: Key, default: object = None) -> Any:
        if not isinstance(self.value, dict if isinstance(key, str) else dict | list | tuple):
            raise self.error(f"{self.name}: {shown(self.value)}: expected {shown(key)} in it")
        found = self._find(key)
        if found is None and default is None:
            raise self.error(f"{self._name(key)}: missing: expected a value")
        return default if found is None else found

    def _name(self, key: Key) -> str:
        return f"{self.name} {key}" if isinstance(key, int) else f"{self.name}: {shown(key)}"


def shown(value: object) -> str:
    """A value of a file, for a message: at most 80 printable characters on one line, in little time whatever it is."""
    if isinstance(value, str | Exception):
        text = value if isinstance(value, str) else str(value)
        return in_short("".join(c if c.isprintable() else "?" for c in in_short(text, 2 * MAX_SHOWN)), MAX_SHOWN)
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        return "a huge number"
    if value is None or isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    return in_short(getattr(value, "description", type(value).__name__), MAX_SHOWN)


def parse_json(content: bytes, most: int = MAX_VALUES) -> Any:
    """The tree in a JSON file: UTF-8, with or without a byte order mark.

    Raises ValueError for anything else, and beyond the bounds: ``most`` values, 64 levels, texts of 65,536
    characters, whole numbers of 4,300 digits. A key that appears twice in an object is refused, and so are halves of
    surrogate pairs. Numbers may be infinite or no number at all: :class:`Node` refuses those.
    """
    text = content.decode("utf-8-sig")
    if text.count(",") + text.count("[") + text.count("{") > most:
        raise ValueError(f"more than {most} values")
    try:
        tree = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} levels") from None
    _check(tree)
    return tree


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key twice in one object")
    return made


def _check(tree: object) -> None:
    """Raise ValueError beyond the bounds of :func:`parse_json`, in time linear in the size of ``tree``."""
    level: list[object] = [tree]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, str):
                if len(value) > MAX_TEXT:
                    raise ValueError(f"a text of more than {MAX_TEXT} characters")
                value.encode()  # fails for halves of surrogate pairs
        if not below:
            return
        level = below
    raise ValueError(f"more than {MAX_DEPTH} levels")
