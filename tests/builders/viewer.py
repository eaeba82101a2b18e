"""duplex-viewer in a process of its own, and its benchmark in less time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CALL = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"


def viewer(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")} | environment
    return subprocess.run([sys.executable, "-c", CALL, *map(str, arguments)], env=surroundings, capture_output=True,
                          text=True, timeout=120)  # fmt: skip


def measure_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the benchmark draw few and small pictures."""
    for name, value in (
        ("benchmark.PATH", 2),
        ("benchmark.CALIBRATION_SIDE", 64),
    ):
        monkeypatch.setattr(f"duplex.app.tools.{name}", value)
