"""YAML from untrusted files: tags are ignored, and time and memory grow no faster than the text."""

from __future__ import annotations

from typing import Any

import yaml

MAX_BRACKETS = 1000  # parsing time grows with their square


class _PlainLoader(yaml.SafeLoader):
    """Reads what any tag marks as the plain mapping, list or text under it."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge keys stay what they are: merging lets a small file grow without bounds."""


def _plain(loader: _PlainLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_PlainLoader.add_constructor(None, _plain)


def plain_yaml(text: str) -> Any:
    """What ``text`` says, in mappings, lists and plain values; raises YAMLError, ValueError or RecursionError."""
    if text.count("{") + text.count("[") > MAX_BRACKETS:
        raise ValueError(f"more than {MAX_BRACKETS} brackets")
    return yaml.load(text, _PlainLoader)
