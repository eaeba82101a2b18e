"""The bake's commands with settings that take seconds, in a process of their own or in this one."""

from __future__ import annotations

import contextlib
import importlib
import io
import subprocess
import sys
from unittest import mock

BAKE, EVALUATE = "baking.commands.bake", "baking.commands.evaluate"
SMALL = ["--grid", "64", "--scan", "32", "--faces", "3000", "--texels", "128", "--views", "24", "--view-size", "64",
         "--steps", "120", "--uncompressed", "--crop-size", "32", "--batch", "8"]  # fmt: skip
TINY_SETTINGS = ["--grid", "40", "--scan", "24", "--faces", "1000", "--texels", "64", "--views", "8", "--view-size",
                 "40", "--steps", "8", "--rate-steps", "2", "--crop-size", "32", "--batch", "2"]  # fmt: skip
TINY = [*TINY_SETTINGS, "--uncompressed"]


def command(module: str, *arguments: object) -> list[str]:
    call = f"import sys; from duplex.{module} import main; sys.exit(main())"
    return [sys.executable, "-c", call, *map(str, arguments)]


def run(module: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(module, *arguments), capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload,no-any-return]


def call(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in this process: saves the imports where it ends before anything is drawn."""
    main = importlib.import_module(f"duplex.{module}").main
    out, err = io.StringIO(), io.StringIO()
    words = [module, *map(str, arguments)]
    with mock.patch.object(sys, "argv", words), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main()
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def one_sentence(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and "Traceback" not in result.stderr, result.stderr
    assert all(word in lines[0] for word in words), lines[0]
