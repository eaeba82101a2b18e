"""YAML from untrusted files as plain data: tags are ignored, and time and memory grow no faster than the text.

Scalars are resolved by the core schema of YAML 1.2, whose numbers are decimal, octal (0o) or hexadecimal; the base-60
numbers of YAML 1.1 stay text. An alias is the value itself, not a copy. Merge keys stay what they are.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from duplex.baking.checkpoints.formats.values import Broken

MAX_BYTES = 1 << 17
MAX_BRACKETS = 1000  # the parser's time grows with their square
MAX_DEPTH = 100
WHOLE = re.compile(r"[-+]?\d{1,40}")
OTHER_BASE = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
REAL = re.compile(r"[-+]?(\.\d{1,40}|\d{1,40}(\.\d{0,40})?)([eE][-+]?\d{1,6})?")
CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "on", "On"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "off", "Off"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def read_yaml(text: str) -> Any:
    """What ``text`` says, in dictionaries, lists and plain values; raises :class:`Broken`."""
    if len(text) > MAX_BYTES:
        raise Broken(f"{len(text)} characters: expected at most {MAX_BYTES}")
    if text.count("{") + text.count("[") > MAX_BRACKETS:
        raise Broken(f"more than {MAX_BRACKETS} brackets")
    try:
        return _Builder().build(text)
    except (yaml.YAMLError, ValueError, RecursionError, IndexError, OverflowError, AttributeError, TypeError) as error:
        raise Broken(" ".join(str(error).split())[:80]) from None


class _Builder:
    """Makes values from the parser's events."""

    def __init__(self) -> None:
        self.root: Any = None
        self.open: list[list[Any] | _Pairs] = []
        self.anchors: dict[str, Any] = {}

    def build(self, text: str) -> Any:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.DocumentEndEvent):
                break  # further documents are not read
            if isinstance(event, yaml.ScalarEvent):
                plain = event.implicit[0] and event.style is None
                self._add(scalar(event.value) if plain else event.value, event.anchor)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in self.anchors:
                    raise Broken("an alias of what is not there")
                self._add(self.anchors[event.anchor], None)
            elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                self._start([] if isinstance(event, yaml.SequenceStartEvent) else _Pairs(), event.anchor)
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                self.open.pop()
        return self.root

    def _start(self, container: list[Any] | _Pairs, anchor: str | None) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise Broken("nested too deep")
        self._add(container.content if isinstance(container, _Pairs) else container, anchor)
        self.open.append(container)

    def _add(self, value: Any, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = value
        if not self.open:
            self.root = value
        elif isinstance(self.open[-1], _Pairs):
            self.open[-1].add(value)
        else:
            self.open[-1].append(value)


class _Pairs:
    """A mapping whose keys and values come by turns; keys that are neither text nor numbers are left out."""

    def __init__(self) -> None:
        self.content: dict[Any, Any] = {}
        self.key: Any = None
        self.has_key = False

    def add(self, value: Any) -> None:
        if self.has_key and isinstance(self.key, (str, int)):
            self.content[self.key] = value
        self.key = value
        self.has_key = not self.has_key


def scalar(text: str) -> Any:
    """What a plain scalar says: a number, true, false, nothing, or the text itself."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    if OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return float(text) if REAL.fullmatch(text) else text
