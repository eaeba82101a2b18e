#!/usr/bin/env python3
"""Set duplex up and run it: everything this needs is Python 3.11 or newer.

python3 run.py [...]        open the demo (or a bundle) in the viewer; takes duplex-viewer's arguments
python3 run.py bake [...]   duplex-bake
python3 run.py eval [...]   duplex-eval
python3 run.py train [...]  duplex-train
python3 run.py check        ruff, mypy, and the import contracts between folders
python3 run.py test [...]   all tests but the slow ones; other arguments go to pytest
               --fast           unit tests alone: no bakes, no windows, no real data
               --slow           the slow tests alone
               --update-golden  rewrite the golden images in tests/golden
python3 run.py torture      kills, signals and full disks at random moments of every command that writes (Linux, macOS)
               --kills N, --full-disks N, --signals N, --seed S, --only JOB
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
NO_DISPLAY = 3  # duplex-viewer's exit status where no window can be opened
GOLDEN_TESTS = "tests/parity/test_golden.py"
CHECKED = ("duplex.app", "duplex.baking", "duplex.shaders", "duplex.assets")


def main() -> int:
    """Run the command that the arguments name; returns its exit status."""
    if sys.version_info < (3, 11):
        return fail(f"Python {sys.version.split()[0]}: duplex needs 3.11 or newer")
    name, *rest = sys.argv[1:] or [""]
    try:
        if name == "test":
            set_up("bake,test")
            return test(rest)
        if name == "torture":
            set_up("bake,test")
            return run(PYTHON, ROOT / "tests" / "torture", *rest)
        if name == "check":
            set_up("bake,test")
            return check()
        if name in ("bake", "eval", "train"):
            set_up("bake")
            return run(BIN / f"duplex-{name}", *rest)
        if name in ("-h", "--help"):
            print(__doc__)
            return 0
        set_up("")
        return view(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    except subprocess.CalledProcessError as error:
        return fail(f"setting up .venv failed: {error.stderr or 'see above'}")


def view(arguments: list[str]) -> int:
    """The viewer; without a display and without arguments, a turn around the demo as pictures."""
    status = run(BIN / "duplex-viewer", *arguments)
    if status == NO_DISPLAY and not arguments:
        print("no display here: drawing a turn around the demo instead", flush=True)
        return run(BIN / "duplex-viewer", "--turntable", "-o", str(ROOT / "duplex-demo"), "--size", "480x480")
    return status


def check() -> int:
    """Lint, type-check and verify the import contracts; returns the first status that is not 0."""
    link = ROOT / "build" / "typing" / "duplex"  # the root is the package: mypy must find it under its name
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)
    packages = [argument for package in CHECKED for argument in ("-p", package)]
    return (
        run(PYTHON, "-m", "ruff", "check", ".")
        or run(PYTHON, "-m", "ruff", "format", "--check", ".")
        or run(PYTHON, "-m", "mypy", *packages)
        or run(BIN / "lint-imports")
    )


def test(arguments: list[str]) -> int:
    """The tests that the flags choose; flags of pytest, files and ``-m`` are passed on."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as baking/__init__.py, which tests import after torch
    rest = [x for x in arguments if x not in ("--fast", "--slow")]
    if "--update-golden" in rest:
        return run(PYTHON, "-m", "pytest", GOLDEN_TESTS, *rest)
    if "--fast" in arguments:
        return run(PYTHON, "-m", "pytest", "-m", "not slow and not system", *rest)
    if "--slow" in arguments:
        return run(PYTHON, "-m", "pytest", "-m", "slow", *rest)
    if rest:
        return run(PYTHON, "-m", "pytest", *(() if "-m" in rest else ("-m", "not slow")), *rest)
    status = run(PYTHON, "-m", "pytest", "-m", "not slow", "--cov", "--cov-report=")
    print_coverage()
    return status


def print_coverage() -> None:
    """The share of lines that the tests ran, in all and in the ten files with the smallest shares."""
    report = ROOT / "build" / "coverage.json"
    if run(PYTHON, "-m", "coverage", "json", "--quiet", "-o", report) != 0:
        return
    found = json.loads(report.read_text("utf-8"))
    files = sorted((entry["summary"]["percent_covered"], name) for name, entry in found["files"].items())
    print(f"coverage, subprocesses left out: {found['totals']['percent_covered']:.1f}%; least:")
    for share, name in files[:10]:
        print(f"  {share:5.1f}%  {name}")


def set_up(extras: str) -> None:
    """Make .venv and install duplex with ``extras``, unless that has been done for this very state of the tree."""
    stamp = VENV / f"installed-{extras.replace(',', '-') or 'viewer'}"
    tree = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    state = hashlib.sha256(tree + sys.version.encode() + str(ROOT).encode()).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == state:
        return
    print(f"setting up {VENV} ({extras or 'viewer'}), once ...", flush=True)
    if not PYTHON.exists():
        try:
            make_venv()
        except BaseException:
            shutil.rmtree(VENV, ignore_errors=True)  # half of one would only confuse the next run
            raise
    target = f"{ROOT}[{extras}]" if extras else str(ROOT)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "-c", str(ROOT / "constraints.txt"), "-e", target], check=True)
    stamp.write_text(state)


def make_venv() -> None:
    """Make .venv; where the system's Python lacks ensurepip, its own pip fills the gap if there is one."""
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode == 0:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)], check=True)
    filled = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "pip"], capture_output=True
    )
    if filled.returncode != 0:
        remedy = "this Python has neither ensurepip nor pip: on Debian or Ubuntu `apt install python3-venv`"
        raise subprocess.CalledProcessError(made.returncode, "venv", stderr=remedy)


def run(*command: str | Path) -> int:
    """Run a command to its end in the present folder; returns its exit status."""
    return subprocess.run([str(part) for part in command], check=False).returncode


def fail(sentence: str) -> int:
    """Print one sentence on stderr."""
    print(f"error: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
