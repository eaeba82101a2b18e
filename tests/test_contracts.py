"""The import contracts of pyproject.toml hold, and each one notices the import that it forbids."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parent.parent
LINTER = Path(sys.executable).with_name("lint-imports")
BROKEN = {  # a module, the line that breaks a contract, and words of that contract's name
    "app/core/errors.py": ("import duplex.baking.rig", "the bake builds on the viewer's side"),
    "shaders/__init__.py": ("import duplex.app.core.errors", "the bake builds on the viewer's side"),
    "app/render/frame.py": ("import duplex.app.viewer.window", "tools over viewer over render"),
    "app/scene/camera.py": ("import moderngl", "a scene knows no OpenGL"),
    "app/render/gpu.py": ("import glfw", "rendering knows no window"),
    "app/scene/network.py": ("import torch", "never needs torch"),
    "app/viewer/panels/help.py": ("import duplex.app.viewer.window", "never reach into the window"),
    "app/scene/reference.py": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import duplex.app.scene.bundle",
        "no import cycles",
    ),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter on the package ``folder``/duplex."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}
    command = [str(LINTER), "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package's modules, as ``duplex``."""
    for room in ("app", "baking", "shaders", "assets"):
        shutil.copytree(
            ROOT / room, tmp_path / "duplex" / room, ignore=shutil.ignore_patterns("*.bundle", "__pycache__")
        )
    shutil.copy(ROOT / "__init__.py", tmp_path / "duplex")
    return tmp_path


def test_every_contract_holds(copy: Path) -> None:
    found = lint(copy)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("module", BROKEN)
def test_a_forbidden_import_breaks_its_contract(copy: Path, module: str) -> None:
    line, contract = BROKEN[module]
    file = copy / "duplex" / module
    file.write_text(f"{file.read_text()}\n{line}\n")
    found = lint(copy)
    assert found.returncode != 0
    broken = [row for row in found.stdout.splitlines() if row.rstrip().endswith("BROKEN")]
    assert any(contract in row for row in broken), found.stdout
