"""A little of ``run.py torture``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TORTURE = Path(__file__).resolve().parent / "torture"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a run is forked")


def torture(*arguments: object) -> None:
    command = [sys.executable, str(TORTURE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.system
def test_a_few_kills_signals_and_full_disks() -> None:
    quick = [word for name in ("export", "video", "settings") for word in ("--only", name)]
    torture("--seed", 1, "--kills", 6, "--full-disks", 3, "--signals", 3, *quick)


@pytest.mark.slow
def test_many_kills_signals_and_full_disks() -> None:
    torture("--seed", 2, "--kills", 100, "--full-disks", 15, "--signals", 20)
