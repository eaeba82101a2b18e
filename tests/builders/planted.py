"""A stranger's folder: modules of the names that Python, duplex and its libraries import; each leaves a mark."""

from __future__ import annotations

import sys
from pathlib import Path

OTHERS = ("torch", "numpy", "pip", "setuptools", "sitecustomize", "usercustomize", "duplex", "PIL", "yaml", "msgpack",
          "glfw", "moderngl", "glcontext", "onnxruntime", "platformdirs", "rich", "safetensors", "scipy", "av", "app",
          "baking", "matplotlib", "triton", "readline")  # fmt: skip


def plant(folder: Path) -> Path:
    """The folder, filled."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in {*sys.stdlib_module_names, *OTHERS} - {"antigravity", "this"}:
        (folder / f"{name}.py").write_text("open(__file__ + '.EXECUTED', 'w').close()\n")
    return folder


def executed(folder: Path) -> list[str]:
    """The modules of the folder that were run."""
    return sorted(x.name for x in folder.glob("*.EXECUTED"))
