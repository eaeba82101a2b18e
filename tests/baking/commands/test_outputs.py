"""Outputs that are no regular file are refused by every command, before it does anything, and stay as they are."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from builders.commands import BAKE, EVALUATE, call, one_sentence
from duplex.app.core.files import reserve, reserve_folder
from duplex.assets import DEMO_BUNDLE

VIEW, TRAIN = "app.tools.cli", "baking.commands.train"
COMMANDS = {  # inputs that are missing are not looked for: the output is refused first
    "bake": (BAKE, "nowhere", "-o", "OUT"),
    "bake with a preview": (BAKE, "nowhere", "-o", "fine.bundle", "--preview", "OUT"),
    "inspect": (BAKE, "inspect", "nowhere", "--preview", "OUT"),
    "train": (TRAIN, "nowhere", "-o", "OUT"),
    "ablate": (EVALUATE, "ablate", "nowhere", "-o", "OUT"),
    "screenshot": (VIEW, "--screenshot", "OUT"),
    "video": (VIEW, "--turntable", "-o", "OUT.mp4"),
    "evaluate": (EVALUATE, "OUT.bundle", "--teacher", "nowhere"),
}
FOLDERS = {
    "export": (BAKE, "export", str(DEMO_BUNDLE), "-o", "OUT"),
    "pictures": (VIEW, "--turntable", "-o", "OUT"),
}
KINDS = ("folder", "pipe", "link to a device", "link to a folder")


def make(kind: str, file: Path) -> None:
    """Something that is no regular file."""
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/null" if "device" in kind else file.parent)


@pytest.mark.skipif(os.name != "posix", reason="devices, pipes and links of POSIX")
@pytest.mark.parametrize("kind", [*KINDS, "file"])
@pytest.mark.parametrize("name", [*COMMANDS, *FOLDERS])
def test_an_output_that_is_none_is_refused_at_once(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (kind == "file") != (name in FOLDERS) and (kind == "file" or "folder" in kind):
        return  # what that output is
    monkeypatch.chdir(tmp_path)
    module, *arguments = (COMMANDS | FOLDERS)[name]
    output = tmp_path / {"video": "OUT.mp4", "evaluate": "OUT.report.html"}.get(name, "OUT")
    if name == "evaluate":
        shutil.copy(DEMO_BUNDLE, tmp_path / "OUT.bundle")
    if kind == "file":
        output.write_bytes(b"mine")
    else:
        make(kind, output)
    before = sorted(tmp_path.iterdir()), stat.S_IFMT(output.lstat().st_mode)
    one_sentence(call(module, *arguments), output.name, ": expected" if name != "bake with a preview" else "expected")
    assert (sorted(tmp_path.iterdir()), stat.S_IFMT(output.lstat().st_mode)) == before


@pytest.mark.parametrize("name", ["screenshot", "video", "export"])
def test_an_output_that_another_run_writes_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module, *arguments = (COMMANDS | FOLDERS)[name]
    output = Path("OUT.mp4" if name == "video" else "OUT")
    with reserve_folder(output) if name in FOLDERS else reserve(output):
        one_sentence(call(module, *arguments), f"{output}: another run is writing this")
    assert list(tmp_path.iterdir()) == []
