"""The bake's commands in processes of their own, with settings that take seconds."""

from __future__ import annotations

import subprocess
import sys

BAKE, EVALUATE = "baking.commands.bake", "baking.commands.evaluate"
SMALL = ["--grid", "64", "--scan", "32", "--faces", "3000", "--texels", "128", "--views", "24", "--view-size", "64",
         "--steps", "120", "--crop", "32", "--batch", "8"]  # fmt: skip


def command(module: str, *arguments: object) -> list[str]:
    call = f"import sys; from duplex.{module} import main; sys.exit(main())"
    return [sys.executable, "-c", call, *map(str, arguments)]


def run(module: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(module, *arguments), capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload,no-any-return]


def one_sentence(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and "Traceback" not in result.stderr, result.stderr
    assert all(word in lines[0] for word in words), lines[0]
