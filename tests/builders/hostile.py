"""What every family's tests ask of a file that must not be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.checkpoints.nerfstudio_run import FOLDER
from duplex.baking.fields.field import Overrides


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
