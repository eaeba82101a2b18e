import tomllib
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


@pytest.mark.parametrize("module", sorted((ROOT / "app").rglob("*.py")), ids=lambda p: p.stem)
def test_files_stay_readable(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 300


def test_shader_sources_carry_version_defines_and_includes() -> None:
    text = source("network/features.frag", textures=2, uv_steps=65534.0)
    assert text.startswith("#version 330\n#define TEXTURES 2\n")
    assert "#include" not in text and "void encode_view" in text
