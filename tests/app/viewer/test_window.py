"""The window under a virtual screen, with real mouse and key events."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

GROUPS = (
    "camera",
    "pointing",
    "keys",
    "commands",
    "opening",
    "controls",
    "files",
    "inspect",
    "path",
    "views",
    "display",
    "panel",
)
TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("group", GROUPS)
def test_a_session_in_the_window(display: str, tmp_path: Path, group: str) -> None:
    if not shutil.which("xdotool"):
        pytest.skip("NO XDOTOOL: install xdotool to test the window with real events")
    home = tmp_path / "home"  # where a picture of the packaged demo goes
    home.mkdir()
    result = window_program(display, home, "session", tmp_path, group)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip().endswith("closed")


@pytest.mark.parametrize(("seconds", "frames"), [(6, 10), pytest.param(30, 50, marks=pytest.mark.slow)])
def test_random_input_breaks_nothing(display: str, tmp_path: Path, seconds: int, frames: int) -> None:
    """The program takes longer times and other seeds."""
    result = window_program(display, tmp_path, "monkey", seconds, 7)
    assert result.returncode == 0, result.stdout + result.stderr
    assert int(result.stdout.split(" frames, seed 7")[0].split()[-1]) > frames


def window_program(display: str, home: Path, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one of the programs in tests/window to its end."""
    search = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"DISPLAY": display, "HOME": str(home), "PYTHONPATH": search}
    command = [sys.executable, "-m", f"window.{name}", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)


def test_closing_the_window_ends_with_status_0(display: str) -> None:
    if not shutil.which("xdotool"):
        pytest.skip("NO XDOTOOL: install xdotool to test the window with real events")
    call = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", call, "--size", "300x300"], env=os.environ | {"DISPLAY": display})
    find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "duplex"]
    window = subprocess.run(find, env=os.environ | {"DISPLAY": display}, capture_output=True, text=True, timeout=60)
    close_window(display, int(window.stdout.split()[0]))
    assert process.wait(30) == 0


def test_an_idle_window_rests_and_wakes_up(display: str, tmp_path: Path) -> None:
    if not shutil.which("xdotool") or not Path("/proc/self/stat").exists():
        pytest.skip("NO XDOTOOL: install xdotool to test the window with real events")
    environment = os.environ | {"DISPLAY": display, "HOME": str(tmp_path)}
    call = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", call, "--size", "400x300"], env=environment)
    find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "duplex"]
    window = subprocess.run(find, env=environment, capture_output=True, text=True, timeout=60).stdout.split()[0]

    def used() -> float:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def over(seconds: float) -> float:
        before = used()
        time.sleep(seconds)
        return used() - before

    try:
        assert any(over(2) < 0.1 for _ in range(20)), "it never comes to rest"  # notices fade first
        assert over(4) < 0.2
        subprocess.run(["xdotool", "windowfocus", window, "key", "Tab"], env=environment, check=True)
        assert over(2) > 0.2, "a key wakes nobody up"
    finally:
        close_window(display, int(window))
        assert process.wait(30) == 0


def close_window(screen: str, number: int) -> None:
    """What a window manager says when the cross in the title bar is clicked."""
    xlib = pytest.importorskip("Xlib.display")
    from Xlib.protocol.event import ClientMessage

    connection = xlib.Display(screen)
    window = connection.create_resource_object("window", number)
    name, wanted = (connection.intern_atom(name) for name in ("WM_PROTOCOLS", "WM_DELETE_WINDOW"))
    window.send_event(ClientMessage(window=window, client_type=name, data=(32, [wanted, 0, 0, 0, 0])))
    connection.sync()  # else the server may find it closed before it reads the message
    connection.close()


def test_a_size_from_a_larger_screen_is_made_to_fit(display: str, tmp_path: Path) -> None:
    code = """
        from duplex.app.viewer.settings import load_settings
        from duplex.app.viewer.window import Viewer
        settings = load_settings()
        settings.size = [4000, 700]
        settings.save()
        for size in (None, (300, 200)):
            viewer = Viewer(size)
            print(viewer.window.size)
            viewer.close()
        """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)],
                            env=os.environ | {"DISPLAY": display, "HOME": str(tmp_path)},
                            capture_output=True, text=True, timeout=60)  # fmt: skip
    assert result.stdout.split("\n")[:2] == ["(1280, 700)", "(300, 200)"], result.stdout + result.stderr


def test_a_window_on_a_scaled_screen_is_as_large_as_asked_and_does_not_grow(display: str, tmp_path: Path) -> None:
    xlib = pytest.importorskip("Xlib.display")
    from Xlib import Xatom

    connection = xlib.Display(display)
    root = connection.screen().root
    root.change_property(Xatom.RESOURCE_MANAGER, Xatom.STRING, 8, b"Xft.dpi:\t144\n")
    connection.sync()
    code = """
        import glfw
        from duplex.app.viewer.window import Viewer
        for size in (None, None, (300, 200), None):
            viewer = Viewer(size)
            print(glfw.get_window_size(viewer.window._window))
            viewer.close()
        """
    try:
        result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)],
                                env=os.environ | {"DISPLAY": display, "HOME": str(tmp_path)},
                                capture_output=True, text=True, timeout=100)  # fmt: skip
    finally:
        root.delete_property(Xatom.RESOURCE_MANAGER)
        connection.sync()
        connection.close()
    assert result.stdout.splitlines() == ["(1200, 1024)", "(1200, 1024)", "(300, 200)", "(300, 200)"], result.stderr
