"""GLSL sources. :func:`source` adds macros and resolves includes."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent
_INCLUDE = re.compile(r'^#include "([a-z0-9_/]+\.glsl)"$', re.MULTILINE)


def source(name: str, version: int = 330, /, **defines: int | float | str) -> str:
    """The GLSL of ``<name>.glsl`` with ``#version <version>``, ``defines`` as macros and includes resolved.

    ``name``: for example ``"gbuffer/gbuffer.frag"``. Macro names are upper case; a value is inserted as ``str(value)``.
    """
    header = "".join(f"#define {key.upper()} {value}\n" for key, value in defines.items())
    return f"#version {version}\n{header}#line 1\n{_read(name + '.glsl')}"


def stamp() -> int:
    """The latest modification time of all sources in nanoseconds, which tells when to reload shaders."""
    return max((file.stat().st_mtime_ns for file in _FOLDER.rglob("*.glsl")), default=0)


def _read(file: str) -> str:
    text = (_FOLDER / file).read_text("utf-8")
    return _INCLUDE.sub(lambda match: _read(match.group(1)), text)
