"""Opcodes of pickles, put together by hand."""

from __future__ import annotations

import struct


def whole(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def call(name: str, *arguments: bytes) -> bytes:
    """The opcodes that call ``module.name``."""
    module, called = name.rsplit(".", 1)
    return f"c{module}\n{called}\n".encode() + b"(" + b"".join(arguments) + b"tR"
