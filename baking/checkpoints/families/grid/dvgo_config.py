"""The ``config.py`` that DirectVoxGO writes beside a checkpoint: an mmcv configuration, which is Python.

It is neither run nor parsed as Python, since a parser of nested expressions can be made to crash: only words, texts and
single characters are told apart, in time linear in the file's size.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import read_small_text
from duplex.baking.checkpoints.formats.plain_yaml import scalar
from duplex.baking.checkpoints.tree import MEND, CheckpointNode

BEGIN = re.compile(r"^data[ \t]*=[ \t]*dict\(", re.MULTILINE)
TOKEN = re.compile(r"""\s+|\#[^\n]*|([\w.]+|'(?!'')(?:[^'\\\n]|\\.)*'|"(?!"")(?:[^"\\\n]|\\.)*"|[^\w\s'"])""")
NAMED = {"True": True, "False": False}
PARTS = 3  # of an option that is a constant: its name, an equals sign, the constant


def read_config(file: Path) -> CheckpointNode:
    """The constants in ``data = dict(...)`` of the configuration ``file``; none where there is no such file."""
    options: dict[str, Any] = {}
    text = read_small_text(file)
    begin = BEGIN.search(text)
    while begin is not None:
        end = _read_options(text, begin.end(), options)
        if end is None:
            raise DuplexError(f"{file}: no configuration of DirectVoxGO: {MEND}")
        begin = BEGIN.search(text, end)
    return CheckpointNode(options, str(file), remedy=MEND)


def _read_options(text: str, place: int, options: dict[str, Any]) -> int | None:
    """Read the arguments of a call from ``place`` on; returns where it ends, None where it does not."""
    depth = 1
    argument: list[str] = []
    while token := TOKEN.match(text, place):
        place = token.end()
        part = token[1]
        if part is None:
            continue
        if depth == 1 and part in (",", ")"):
            _keep(argument, options)
            argument = []
        elif len(argument) <= PARTS:
            argument.append(part)
        if part in ("(", "[", "{"):
            depth += 1
        elif part in (")", "]", "}"):
            depth -= 1
        if depth == 0:
            return place
    return None


def _keep(argument: list[str], options: dict[str, Any]) -> None:
    """Add an argument to ``options`` if its value is a constant."""
    if len(argument) != PARTS or argument[1] != "=":
        return
    name, _, value = argument
    if value in NAMED:
        options[name] = NAMED[value]
    elif value[0] in "'\"":
        options[name] = value[1:-1]
    elif value[0].isdecimal():
        options[name] = scalar(value)
