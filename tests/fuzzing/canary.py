"""A function that mutated files name: a reader that calls it executes what a file says."""

from __future__ import annotations

CALLS: list[tuple[object, ...]] = []


def mark(*arguments: object) -> str:
    """Remember that it was called."""
    CALLS.append(arguments)
    return ""
