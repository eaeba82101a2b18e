"""duplex-viewer in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

CALL = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"


def viewer(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")} | environment
    return subprocess.run([sys.executable, "-c", CALL, *map(str, arguments)], env=surroundings, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
