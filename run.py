#!/usr/bin/env python3
"""Set duplex up and run it: everything this needs is Python 3.11 or newer.

python3 run.py [...]        open the demo (or a bundle) in the viewer; takes duplex-viewer's arguments
python3 run.py PHOTOS       train from a folder of photos or from a video, bake, and open the viewer (PHOTOS --help)
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
python3 run.py fuzz [...]   mutated files for every reader; --minutes, --inputs, --target, --seed (fuzz --help)
"""

import os
import sys

if sys.version_info < (3, 11):
    sys.stderr.write(f"error: Python {sys.version.split()[0]}: duplex needs 3.11 or newer\n")
    sys.exit(2)

# Before anything else is imported: strangers' modules may lie in the current folder, in this file's, and in what a
# relative PYTHONPATH names.
FOLDER = os.path.dirname(os.path.realpath(__file__))
try:
    os.getcwd()
except OSError:  # it is gone
    os.chdir(FOLDER)
named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
strange = {os.path.realpath(x) for x in (os.curdir, FOLDER, *(x for x in named if not os.path.isabs(x)))}
sys.path[:] = [x for x in sys.path if os.path.realpath(x) not in strange]
os.environ["PYTHONPATH"] = os.pathsep.join(x for x in named if os.path.realpath(x) not in strange)

import signal

children = []  # the programs that are waited for
busy = 0  # how many are, from just before they start
stopped = 0  # the signal that ends this program


def stop(number: int, _: object) -> None:
    """Answer a signal: interrupt the programs that are waited for; without one, end."""
    global stopped
    stopped = number
    for child in children:
        interrupt(child)
    if not busy:
        os.write(2, b"interrupted\n")
        os._exit(128 + number)


for ending in (getattr(signal, x, None) for x in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")):
    if ending and signal.getsignal(ending) in (signal.SIG_DFL, signal.default_int_handler):  # nohup ignores one
        signal.signal(ending, stop)

import hashlib
import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(FOLDER)
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
VIEWER = ROOT / "app" / "start.py"
OTHERS = ROOT / "baking" / "commands" / "start.py"  # bake, eval, train, fly
VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".3gp")
NO_DISPLAY = 3  # duplex-viewer's exit status where no window can be opened
GOLDEN_TESTS = "tests/parity/test_golden.py"
SHARES = (("tests/baking",), ("tests", "--ignore=tests/baking"))  # of the tests, which take about as long
CHECKED = ("duplex.app", "duplex.baking", "duplex.shaders", "duplex.assets")


def main() -> int:
    """Run the command that the arguments name; returns its exit status."""
    name, *rest = sys.argv[1:] or [""]
    try:
        if name in ("test", "check"):
            os.chdir(ROOT)  # whose settings and tests these are
            set_up("bake,test")
            return test(rest) if name == "test" else check()
        if name in ("torture", "fuzz"):
            set_up("bake,test")
            return become(ROOT / "tests" / {"torture": "torture", "fuzz": "fuzzing"}[name], *rest)
        if name in ("bake", "eval", "train"):
            set_up("bake,photos" if name == "train" else "bake")
            return become(OTHERS, name, *rest)
        if name in ("-h", "--help"):
            print(__doc__)
            return 0
        if name and not name.startswith("-") and (os.path.isdir(name) or name.lower().endswith(VIDEOS)):
            set_up("bake,photos")
            return become(OTHERS, "fly", *sys.argv[1:])
        set_up("")
        return view(sys.argv[1:])
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + stopped
    except subprocess.CalledProcessError as error:
        return fail(f"setting up .venv failed: {error.stderr or 'see above'}")


def view(arguments: list[str]) -> int:
    """The viewer; without a display and without arguments, a turn around the demo as pictures."""
    if arguments:
        return become(VIEWER, *arguments)
    status = wait(PYTHON, VIEWER).returncode
    if status != NO_DISPLAY:
        return 128 + stopped if stopped else status
    print("no display here: drawing a turn around the demo instead", flush=True)
    return become(VIEWER, "--turntable", "--overwrite", "-o", ROOT / "duplex-demo", "--size", "480x480")


def check() -> int:
    """Lint, type-check and verify the import contracts; returns the first status that is not 0."""
    link = ROOT / "build" / "typing" / "duplex"  # the root is the package: mypy must find it under its name
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)
    packages = [argument for package in CHECKED for argument in ("-p", package)]
    return (
        run("-m", "ruff", "check", ".")
        or run("-m", "ruff", "format", "--check", ".")
        or run("-m", "mypy", *packages)
        or run("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")
    )


def test(arguments: list[str]) -> int:
    """The tests that the flags choose; flags of pytest, files and ``-m`` are passed on."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as baking/__init__.py, which tests import after torch
    rest = [x for x in arguments if x not in ("--fast", "--slow")]
    if "--update-golden" in rest:
        return become("-m", "pytest", GOLDEN_TESTS, *rest)
    if "--fast" in arguments:
        return become("-m", "pytest", "-m", "not slow and not system", *rest)
    if "--slow" in arguments:
        return become("-m", "pytest", "-m", "slow", *rest)
    if rest:
        return become("-m", "pytest", *(() if "-m" in rest else ("-m", "not slow")), *rest)
    with ThreadPoolExecutor() as pool:  # one share alone leaves half of two cores idle
        done = list(pool.map(test_share, range(len(SHARES))))
    if stopped:
        raise KeyboardInterrupt
    print_coverage()
    return next((x.returncode for x in done if x.returncode), 0)


def test_share(number: int) -> subprocess.CompletedProcess[str]:
    """One of the ``SHARES`` of the tests; all but the first, beside which they run, are printed when they end."""
    flags = ("-m", "pytest", "-m", "not slow", "--cov", "--cov-report=")
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "errors": "replace"} if number else {}
    done = wait(PYTHON, *flags, *SHARES[number], env=os.environ | {"COVERAGE_FILE": coverage_of(number)}, **kept)
    print(done.stdout or "", end="", flush=True)
    return done


def coverage_of(share: int) -> str:
    """The file of what a share of the tests covers."""
    return str(ROOT / "build" / f"coverage-{share}")


def print_coverage() -> None:
    """The share of lines that the tests ran, in all and in the ten files with the smallest shares."""
    report = ROOT / "build" / "coverage.json"
    run("-m", "coverage", "combine", "--quiet", *map(coverage_of, range(len(SHARES))))
    if run("-m", "coverage", "json", "--quiet", "-o", report) != 0:
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
    state = hashlib.sha256(tree + sys.version.encode() + FOLDER.encode()).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == state:
        return
    print(f"setting up {VENV} ({extras or 'viewer'}), once ...", flush=True)
    if not PYTHON.exists():
        try:
            make_venv()
        except BaseException:
            shutil.rmtree(VENV, ignore_errors=True)  # half of one would only confuse the next run
            raise
    target = f"{ROOT}[{extras}]" if extras else FOLDER
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-e", target]
    done = step(PYTHON, *install, "-c", ROOT / "constraints.txt")
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, "pip")
    stamp.write_text(state)


def make_venv() -> None:
    """Make .venv; where the system's Python lacks ensurepip, its own pip fills the gap if there is one."""
    made = step(sys.executable, "-m", "venv", VENV)
    if made.returncode == 0:
        return
    bare = step(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
    fill = ("-m", "pip", "--no-input", "--python", PYTHON, "install", "pip")
    if bare.returncode == 0 and step(sys.executable, *fill).returncode == 0:
        return
    remedy = "this Python has neither ensurepip nor pip: on Debian or Ubuntu `apt install python3-venv`"
    raise subprocess.CalledProcessError(made.returncode, "venv", stderr=remedy)


def step(python: str | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a step of the set-up with Python; what it prints is kept."""
    done = wait(
        python, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"PYTHONSAFEPATH": "1"}
    )
    if stopped:
        raise KeyboardInterrupt
    return done


def run(*arguments: str | Path) -> int:
    """Run .venv's Python to its end in the present folder; returns its exit status."""
    status = wait(PYTHON, *arguments).returncode
    if stopped:
        raise KeyboardInterrupt
    return status


def become(*arguments: str | Path) -> int:
    """Let .venv's Python take this process over, where the system can."""
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(PYTHON, [str(PYTHON), "-P", *map(str, arguments)])
    return wait(PYTHON, *arguments).returncode


def wait(python: str | Path, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python, and none of the current folder's modules, to its end; ``stop`` alone passes signals on to it."""
    global busy
    busy += 1
    group = {} if os.name == "nt" else {"process_group": 0}  # Windows sends Ctrl-C to every program of the console
    try:
        child = subprocess.Popen([str(python), "-P", *map(str, arguments)], text=True, **group, **options)
        children.append(child)
        if stopped:  # while it was started
            interrupt(child)
        out, errors = child.communicate()
        status = child.returncode
        return subprocess.CompletedProcess(child.args, status if status >= 0 else 128 - status, out, errors)
    finally:
        busy -= 1
        children[:] = [x for x in children if x.returncode is None]


def interrupt(child: subprocess.Popen[str]) -> None:
    """Send Ctrl-C to a program that is waited for."""
    if os.name != "nt":
        child.send_signal(signal.SIGINT)


def fail(sentence: str) -> int:
    """Print one sentence on stderr."""
    print(f"error: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
