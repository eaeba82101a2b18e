"""The house rules that no linter checks: sizes of files, functions and folders, and one class for each name."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ("app", "baking", "shaders", "assets")
FOLDERS = (*PROGRAM, "tests", "examples")
MAX_LINES = 300
MAX_FUNCTION_LINES = 50
MAX_MODULES = 14
VAGUE = {"utils", "util", "common", "misc", "helpers"}
SOURCES = sorted([*ROOT.glob("*.py"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))])


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_files_and_functions_stay_readable(file: Path) -> None:
    text = file.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert long_functions(text) == []


def long_functions(text: str) -> list[str]:
    """Functions of a module with more than 50 lines, decorators left out."""
    functions = [x for x in ast.walk(ast.parse(text)) if isinstance(x, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [x.name for x in functions if (x.end_lineno or x.lineno) - x.lineno >= MAX_FUNCTION_LINES]


def test_a_long_function_is_found() -> None:
    body = "    pass\n" * (MAX_FUNCTION_LINES - 1)
    assert long_functions(f"def fits():\n{body}") == []
    assert long_functions(f"def fits():\n{body}def grown():\n{body}    pass\n") == ["grown"]


def test_no_folder_holds_too_many_modules() -> None:
    files = [file for folder in FOLDERS for end in ("py", "glsl") for file in (ROOT / folder).rglob(f"*.{end}")]
    counts = Counter(name_of(file.parent) for file in files if file.name != "__init__.py")
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


def test_folders_say_what_they_hold() -> None:
    for folder in FOLDERS:
        assert [name_of(x) for x in (ROOT / folder).rglob("*") if x.is_dir() and x.name in VAGUE] == []


def test_a_name_belongs_to_one_class() -> None:
    homes = defaultdict[str, list[str]](list)
    for file in SOURCES:
        if file.relative_to(ROOT).parts[0] in PROGRAM:
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    homes[node.name].append(name_of(file))
    assert len(homes) > 100  # so they are found
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_packages_hold_no_code_of_their_own() -> None:
    found = [file for folder in ("app", "baking") for file in (ROOT / folder).rglob("__init__.py")]
    with_code = [name_of(file) for file in found if len(ast.parse(file.read_text("utf-8")).body) > 1]
    assert with_code == ["baking/__init__.py"]  # which tells OpenMP how to wait, before torch is imported


RAW = re.compile(
    r"\.value\b|isinstance\([^)]*\b(dict|list|str|int|float|bytes)\b|np\.load|torch\.load"
    r"|(import|from) (json|ast|yaml|pickle|msgpack)\b"
)


def test_families_of_checkpoints_ask_for_values_in_the_checked_way_alone() -> None:
    families = sorted((ROOT / "baking" / "checkpoints" / "families").rglob("*.py"))
    assert len(families) > 15
    raw = [f"{name_of(file)}: {found[0]}" for file in families for found in RAW.finditer(file.read_text("utf-8"))]
    assert raw == []
