"""``duplex-eval ablate``, as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system


def test_the_command_writes_its_table(octahedron: Path, tmp_path: Path) -> None:
    small = "--grid 40 --scan 24 --faces 1000 --texels 64 --views 8 --view-size 40 --steps 8 --batch 2 --no-lpips"
    code = "import sys; from duplex.baking.commands.evaluate import main; sys.exit(main())"
    command = [
        sys.executable,
        "-c",
        code,
        "ablate",
        str(octahedron),
        "-o",
        str(tmp_path / "t.md"),
        "--no-lpips",
        *small.split(),
    ]
    wrong = subprocess.run([*command, "--seed", "-1"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: --seed -1: expected 0"), wrong.stderr
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "t.md").read_text()
    assert "| outer shell alone |" in written and written == done.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["t.md"]
