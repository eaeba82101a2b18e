"""What ``--backend`` takes. Apart from the backends themselves, so that the command line loads nothing heavy."""

from __future__ import annotations

AUTO = "auto"  # the fastest
NAMES = ("fragment", "compute", "onnx")
