"""``duplex-eval ablate``, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.commands import EVALUATE, TINY_SETTINGS, call, one_sentence

pytestmark = pytest.mark.system


def test_the_command_writes_its_table(octahedron: Path, tmp_path: Path) -> None:
    arguments = ("ablate", octahedron, "-o", tmp_path / "t.md", *TINY_SETTINGS, "--no-lpips")
    one_sentence(call(EVALUATE, *arguments, "--seed", -1), "--seed -1: expected 0")
    done = call(EVALUATE, *arguments)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "t.md").read_text()
    assert "| outer shell alone |" in written and written == done.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["t.md"]
