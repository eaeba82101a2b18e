"""What is installed: the packages, the wheel, and what an import loads."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from duplex.shaders import source

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("app", "baking", "shaders", "assets")


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        "duplex." + ".".join(init.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for init in (ROOT / room).rglob("__init__.py")
    }
    assert listed == found | {"duplex"}


def test_the_viewer_depends_on_nothing_of_the_bake() -> None:
    for file in [*(ROOT / "app").rglob("*.py"), *(ROOT / "shaders").rglob("*.py")]:
        text = file.read_text()
        assert "duplex.baking" not in text and "import torch" not in text, file


def test_shader_sources_carry_version_defines_and_includes() -> None:
    text = source("network/features.frag", textures=2, uv_steps=65534.0)
    assert text.startswith("#version 330\n#define TEXTURES 2\n")
    assert "#include" not in text and "void encode_view" in text


@pytest.mark.system
def test_the_wheel_holds_the_program_and_no_scripts(tmp_path: Path) -> None:
    copy = tmp_path / "copy"  # a build leaves files in the tree
    copy.mkdir()
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, copy)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {f"duplex/{x.relative_to(ROOT)}" for room in ROOMS for x in (ROOT / room).rglob("*.py")}
    shaders = {f"duplex/{x.relative_to(ROOT)}" for x in (ROOT / "shaders").rglob("*.glsl")}
    assert names >= modules | shaders | {"duplex/__init__.py", "duplex/py.typed", "duplex/assets/demo.bundle"}
    assert {name for name in names if name.count("/") == 1} == {"duplex/__init__.py", "duplex/py.typed"}
    assert {name.split("/")[1] for name in names if name.count("/") > 1} == set(ROOMS)


@pytest.mark.system
def test_loading_a_bundle_imports_neither_torch_nor_opengl() -> None:
    code = "import sys, duplex; duplex.load; print([x for x in ('torch', 'moderngl', 'glfw') if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
