"""How commands start: a signal at any moment ends them in one line, and nothing of the current folder is run."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from builders.planted import executed, plant
from builders.signals import answers, end, start, wait_until_it_answers
from duplex.app import start as starts
from duplex.app.core.package import requirements

pytestmark = pytest.mark.system
posix = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells from /proc when a program is ready")

SCRIPT = "import re\nimport sys\nfrom duplex.{1} import {0}\nif __name__ == '__main__':\n    sys.exit({0}())\n"
PROGRESS = re.compile(r"needs up to .*\n|[a-z ]+ \.\.\.\n")  # what a bake says in its first seconds
RECORDING = ["--turntable", "--frames", "3000", "--size", "64x64", "-o"]


def script(folder: Path, name: str) -> list[str]:
    """A console script as pip writes it."""
    folder.mkdir(exist_ok=True)
    file = folder / f"duplex-{name}"
    file.write_text(SCRIPT.format(name, "app.start" if name == "viewer" else "baking.commands.start"))
    return [sys.executable, str(file)]


def test_warnings_of_libraries_are_shown_to_those_who_ask(tmp_path: Path) -> None:
    (tmp_path / "warner.py").write_text(
        "import warnings\ndef main():\n    warnings.warn('of a library')\n    return 0\n"
    )
    program = f"import sys; sys.path.append({str(tmp_path)!r}); from duplex.app import start; start.run('warner')"
    for options, shown in (([], False), (["-W", "always"], True)):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
        done = subprocess.run(
            [sys.executable, *options, "-c", program], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0 and ("of a library" in done.stderr) == shown, done.stderr


@pytest.mark.parametrize(
    ("name", "arguments", "missing", "extra"),
    [
        ("bake", ["x.th"], "torch", "bake"),
        ("evaluate", ["x.bundle"], "torch", "bake"),
        ("train", ["photos", "-o", "x.th"], "torch", "bake"),
        ("train", ["poses", "photos"], "rich", "photos"),
    ],
)
def test_a_command_whose_extra_is_not_installed_says_so(
    name: str, arguments: list[str], missing: str, extra: str, tmp_path: Path
) -> None:
    command = script(tmp_path / "bin", name)
    file = Path(command[1])
    file.write_text(f"import sys\nsys.modules[{missing!r}] = None\n{file.read_text()}")
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    beginning, _, remedy = done.stderr.strip().partition(": ")[2].partition(": ")
    assert beginning == f"{missing} is not installed, which this command needs"
    words = shlex.split(remedy)
    assert words[:4] == [sys.executable, "-m", "pip", "install"]  # the interpreter that lacks it
    assert words[4:] == requirements(metadata.requires("duplex-radiance") or [], extra) and len(words) > 5
    assert any(word.startswith(missing) for word in words[4:])
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("viewer", ["--info"]),
        ("viewer", ["--screenshot", "x.png", "--size", "64x64"]),
        ("viewer", ["--doctor"]),
        ("bake", ["inspect", "nothing.pth"]),
        ("evaluate", ["nothing.bundle"]),
        ("train", ["nothing", "-o", "x.th"]),
    ],
)
def test_nothing_of_the_current_folder_is_run(name: str, arguments: list[str], tmp_path: Path) -> None:
    here = plant(tmp_path / "here")
    done = subprocess.run([*script(tmp_path / "bin", name), *arguments], cwd=here, capture_output=True, text=True)
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr, done.stderr
    assert executed(here) == []


def test_what_libraries_start_runs_nothing_of_it_either(tmp_path: Path) -> None:
    here = plant(tmp_path / "here")
    file = tmp_path / "program.py"
    file.write_text("from duplex.app import start\nstart.leave_out_current_folder()\nimport glfw\n")  # starts Python
    done = subprocess.run([sys.executable, file], cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert executed(here) == []


def test_paths_that_name_the_current_folder_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, other = tmp_path / "here", tmp_path / "other"
    for folder in (here, other):
        folder.mkdir()
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    strange = ["", ".", "lib", "../elsewhere", str(here), str(tmp_path / "link")]
    kept = [str(other), sys.prefix, str(tmp_path / "missing.zip")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*strange, *kept]))
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", "bin", *kept]))
    for name in ("PYTHONSAFEPATH", "NODEFAULTCURRENTDIRECTORYINEXEPATH"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(sys, "path", [*strange, str(here / "lib"), *kept])  # Python makes its entries absolute
    starts.leave_out_current_folder()
    assert sys.path == kept
    assert os.environ["PATH"] == os.environ["PYTHONPATH"] == os.pathsep.join(kept)
    assert os.environ["PYTHONSAFEPATH"] == "1"


@posix
@pytest.mark.parametrize("name", ["viewer", "bake", "evaluate", "train"])
def test_ctrl_c_while_libraries_are_loaded_is_one_line(name: str, tmp_path: Path) -> None:
    process = start([*script(tmp_path / "bin", name), *([*RECORDING, "x.mp4"] if name == "viewer" else ["x"])])
    wait_until_it_answers(process)
    time.sleep(0.05)
    assert end(process, signal.SIGINT)[:2] == (130, "interrupted\n")


@posix
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_recording_that_is_interrupted_leaves_nothing(number: int, status: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    process = start([*script(tmp_path / "bin", "viewer"), *RECORDING, str(out / "x.mp4")])
    limit = time.monotonic() + 60
    while not list(out.iterdir()) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    assert end(process, number)[:2] == (status, "interrupted\n")
    assert list(out.iterdir()) == []


@posix
@pytest.mark.parametrize("moment", [0.4, 1.2, 4])
def test_the_window_closes_at_any_moment(moment: float, tmp_path: Path, display: str) -> None:
    environment = os.environ | {"DISPLAY": display, "XDG_CONFIG_HOME": str(tmp_path)}
    process = start([*script(tmp_path / "bin", "viewer"), "--size", "300x300"], env=environment)
    wait_until_it_answers(process)
    time.sleep(moment)
    assert end(process, signal.SIGINT)[:2] == (130, "interrupted\n")


@posix
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["viewer", "bake"])
def test_a_signal_at_any_moment_of_the_first_three_seconds(
    name: str, number: int, octahedron: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    bake = [str(octahedron), "-o", str(tmp_path / "x.bundle"), "--restart"]
    arguments = [*RECORDING, str(out / "x.mp4")] if name == "viewer" else bake
    for moment in range(0, 3000, 20):
        process = start([*script(tmp_path / "bin", name), *arguments])
        time.sleep(moment / 1000)
        answered = answers(process.pid)
        status, errors, seconds = end(process, number)
        if answered:  # before, Python itself is loading
            assert (status, PROGRESS.sub("", errors)) == (128 + number, "interrupted\n"), f"{moment} ms"
        assert "SWALLOWED" not in errors and seconds < 5, f"{moment} ms"
        assert list(out.iterdir()) == []
