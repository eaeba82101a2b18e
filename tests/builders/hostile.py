"""What the tests ask of files that must not be read: one sentence, in little time."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from duplex.app.core.errors import MAX_SENTENCE, DuplexError
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.checkpoints.nerfstudio_run import FOLDER
from duplex.baking.fields.field import Overrides

WRONG_PLAIN: dict[str, Any] = {
    "text": "x" * 5000,
    "lines": "a\nb\x1b[2J",
    "list": [[1, "a"], None],
    "empty list": [],
    "object": {"a": {"b": 1}},
    "huge": (1 << 64) - 1,
    "negative": -7,
    "fraction": 0.37,
    "large": 3e38,
    "nan": math.nan,
    "inf": -math.inf,
    "true": True,
    "nothing": None,
    "bytes": b"\xff" * 7,
}
WRONG: dict[str, Any] = WRONG_PLAIN | {
    "longer": 1 << 300,
    "scalar tensor": torch.tensor(1.5),
    "no numbers": torch.zeros(0),
    "no columns": torch.zeros(4, 0),
    "other axes": torch.ones(2, 3, 1, 2),
    "whole tensor": torch.full((3,), 1 << 40),
    "flags": torch.ones(3, dtype=torch.bool),
    "complex": torch.zeros(2, dtype=torch.complex64),
    "nan tensor": torch.full((2, 3), math.nan),
    "large tensor": torch.full((3, 3), 3e38),
    "expanded": torch.zeros(1).expand(1 << 40),
}


class Hostile:
    """Pickles into a call of os.system."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> object:
        return os.system, (self.command,)


def refused(path: Path, *words: str, overrides: Overrides | None = None) -> None:
    """The checkpoint ``path`` is refused in one sentence that names it, or a file beside it, and has all ``words``."""
    with pytest.raises(DuplexError) as error:
        load_teacher(path, overrides=overrides)
    text = str(error.value)
    assert "\n" not in text and all(word in text for word in words), text
    assert str(path.parent.parent if path.parent.name == FOLDER else path.parent) in text


def survived(path: Path) -> None:
    """The checkpoint ``path`` is refused in one short sentence, or its fields can be evaluated anywhere."""
    try:
        teacher = load_teacher(path)
    except DuplexError as error:
        text = str(error)
        assert "\n" not in text and "\x1b" not in text, text
        assert len(text.replace(str(path), path.name)) <= MAX_SENTENCE, text
        return
    points = torch.cat([torch.zeros(1, 3), torch.randn(4, 3), 1e6 * torch.randn(3, 3)])
    for field in {teacher.coarse, teacher.fine}:
        sigma, latent = field.density(points)
        assert sigma.shape == (8,)
        assert field.color(latent, torch.nn.functional.normalize(points + 0.1, dim=-1)).shape == (8, 3)


YARDSTICK_SECONDS = 0.015
"""What ``yardstick`` takes on the machine in whose seconds the bounds are stated."""


def yardstick() -> float:
    """Seconds of a fixed piece of plain Python: how fast this machine is just now."""
    start, kept = time.process_time(), {}
    for i in range(100_000):
        kept[i & 1023] = str(i)
    return time.process_time() - start


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """The body must not take more processor time than this, as many times longer as this machine is slower.

    What traces lines, as the measuring of coverage does, rests meanwhile: its cost is not the body's.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    before = yardstick()
    start = time.process_time()
    try:
        yield
        spent = time.process_time() - start
        slower = max(before, yardstick(), YARDSTICK_SECONDS) / YARDSTICK_SECONDS
    finally:
        sys.settrace(tracer)
    assert spent < seconds * slower, f"{spent:.1f} s, on a machine {slower:.1f} times slower than the stated one"
