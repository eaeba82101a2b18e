"""``run.py``: nothing of the current folder is run, and signals reach the program that it starts."""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builders.planted import executed, plant
from builders.signals import end, start
from duplex.baking.capture.video import SUFFIXES

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.name == "nt", reason="links, and signals as POSIX has them"),
]
STUB = """
import signal, sys, time
from pathlib import Path
def stop(number, frame):
    Path(sys.argv[0]).with_name("signals").open("a").write(f"{number} ")
    sys.exit(128 + number)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
print(*sys.argv[1:], sys.flags.safe_path, flush=True)
if "fail" in sys.argv:
    sys.exit(5)
time.sleep(20)
"""
PYTEST_STUB = """
import os, signal, sys, time
from pathlib import Path
def stop(number, frame):
    Path(__file__).with_name(f"stopped-{os.getpid()}").touch()
    sys.exit(2)
signal.signal(signal.SIGINT, stop)
print(*sys.argv[1:], os.environ["COVERAGE_FILE"], flush=True)
Path(__file__).with_name(f"started-{os.getpid()}").touch()
time.sleep(float(os.environ["SECONDS"]))
sys.exit(3 if "tests" in sys.argv else 0)
"""


def checkout(folder: Path) -> Path:
    """A checkout with a stub in place of duplex, set up for all that tests run; its ``run.py``."""
    for name in ("run.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    tree = b"".join((folder / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    state = hashlib.sha256(tree + sys.version.encode() + str(folder).encode()).hexdigest()
    for name in ("viewer", "bake", "bake-test", "bake-photos"):
        (folder / ".venv" / f"installed-{name}").write_text(state)
    for place in (folder / "app", folder / "baking" / "commands"):
        place.mkdir(parents=True)
        (place / "start.py").write_text(STUB)
    return folder / "run.py"


@pytest.mark.parametrize("arguments", [[], ["x.bundle"], ["bake", "x"]])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_the_program_once(arguments: list[str], number: int, status: int, tmp_path: Path) -> None:
    process = start([sys.executable, str(checkout(tmp_path)), *arguments], cwd=tmp_path)
    assert process.stdout
    assert process.stdout.readline().split() == [*arguments, "True"]
    assert end(process, number)[:2] == (status, "")  # the program says it
    assert [len(x.read_text().split()) for x in tmp_path.rglob("signals")] == [1]


def test_the_status_of_the_program_is_passed_on(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, checkout(tmp_path), "bake", "fail"], capture_output=True, text=True)
    assert done.returncode == 5 and done.stderr == ""


@pytest.mark.parametrize("source", ["photos", "walk.MP4"])
def test_photos_and_videos_are_trained_baked_and_shown(source: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    command = [sys.executable, checkout(tmp_path), source, "-o", "fail"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 5 and done.stdout.split() == ["fly", source, "-o", "fail", "True"]


def test_videos_are_those_that_the_capture_knows() -> None:
    line = next(x for x in (ROOT / "run.py").read_text().splitlines() if x.startswith("VIDEOS = "))
    assert ast.literal_eval(line.removeprefix("VIDEOS = ")) == SUFFIXES


def with_stubs(folder: Path, seconds: float) -> dict[str, str]:
    """The environment in which pytest is a stub that takes a while, and coverage one that fails."""
    library = folder / "lib"
    library.mkdir()
    (library / "pytest.py").write_text(PYTEST_STUB)
    (library / "coverage.py").write_text("raise SystemExit(1)")
    return os.environ | {"PYTHONPATH": str(library), "SECONDS": str(seconds)}


def test_the_tests_run_in_shares_and_one_that_fails_is_told(tmp_path: Path) -> None:
    command = [sys.executable, checkout(tmp_path), "test"]
    done = subprocess.run(command, env=with_stubs(tmp_path, 0), capture_output=True, text=True)
    first, second = sorted(done.stdout.splitlines(), key=lambda line: "--ignore=tests/baking" in line)
    assert done.returncode == 3 and done.stderr == ""
    assert "tests/baking" in first.split() and "--ignore=tests/baking" in second.split()
    assert len({line.split()[-1] for line in (first, second)}) == 2  # each with a file of coverage of its own


def test_a_signal_reaches_all_shares_of_the_tests(tmp_path: Path) -> None:
    environment = with_stubs(tmp_path, 20)
    process = start([sys.executable, str(checkout(tmp_path)), "test"], cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 20
    while len(list(tmp_path.glob("lib/started-*"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert end(process, signal.SIGINT)[0] == 130
    assert len(list(tmp_path.glob("lib/stopped-*"))) == 2


@pytest.mark.parametrize("variant", ["another folder", "beside run.py", "a relative PYTHONPATH"])
def test_nothing_of_the_current_folder_is_run(variant: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    program = checkout(root)
    here = plant(root if variant == "beside run.py" else tmp_path / "here")
    environment = dict(os.environ)
    python = [sys.executable]
    if variant == "a relative PYTHONPATH":  # which Python itself reads, before run.py can
        (here / "lib").mkdir()
        plant(here / "lib")
        for file in (here / "lib").iterdir():
            if file.stem not in ("hashlib", "json", "pathlib", "shutil", "signal", "subprocess"):
                file.unlink()
        environment["PYTHONPATH"] = "lib"
        python += ["-S"]  # an editable installation imports modules before run.py can
    done = subprocess.run([*python, program, "bake", "fail"], cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == 5, done.stderr
    assert executed(here) == [] and executed(here / "lib") == []


@pytest.mark.slow
def test_the_set_up_runs_nothing_of_it_either(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    program = checkout(root)
    shutil.rmtree(root / ".venv")
    here = plant(tmp_path / "here")
    environment = os.environ | {"PIP_NO_INDEX": "1"}  # so that it fails at once
    done = subprocess.run(
        [sys.executable, program, "bake", "x"], cwd=here, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2 and "setting up .venv failed" in done.stderr, done.stderr
    assert executed(here) == []
