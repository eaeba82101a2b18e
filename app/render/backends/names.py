"""Backend names for ``--backend``, in a module of their own so that the command line imports no OpenGL."""

from __future__ import annotations

AUTO = "auto"  # fragment; the window then measures all backends and selects one
NAMES = ("fragment", "compute", "onnx")
