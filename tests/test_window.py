"""The window under a virtual screen, with real mouse and key events."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "window_session.py"


def test_a_session_in_the_window(display: str, tmp_path: Path) -> None:
    if not shutil.which("xdotool"):
        pytest.skip("NO XDOTOOL: install xdotool to test the window with real events")
    (tmp_path / "home").mkdir()  # where a picture of the packaged demo goes
    result = subprocess.run([sys.executable, str(SCRIPT), str(tmp_path)],
                            env=os.environ | {"DISPLAY": display, "HOME": str(tmp_path / "home")},
                            capture_output=True, text=True, timeout=400)  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip().endswith("closed")


def test_random_input_breaks_nothing(display: str, tmp_path: Path) -> None:
    """Half a minute of it; the script takes longer times and other seeds."""
    result = subprocess.run([sys.executable, str(SCRIPT.with_name("window_monkey.py")), "30", "7"],
                            env=os.environ | {"DISPLAY": display, "HOME": str(tmp_path)},
                            capture_output=True, text=True, timeout=200)  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert int(result.stdout.split(" frames, seed 7")[0].split()[-1]) > 50


def test_closing_the_window_ends_with_status_0(display: str) -> None:
    if not shutil.which("xdotool"):
        pytest.skip("NO XDOTOOL: install xdotool to test the window with real events")
    call = "import sys; from duplex.app.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", call, "--size", "300x300"], env=os.environ | {"DISPLAY": display})
    find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "duplex"]
    window = subprocess.run(find, env=os.environ | {"DISPLAY": display}, capture_output=True, text=True, timeout=60)
    close = textwrap.dedent(f"""
        import ctypes
        from ctypes import c_char_p, c_int, c_long, c_ulong, c_void_p
        x = ctypes.CDLL("libX11.so.6")
        x.XOpenDisplay.restype = c_void_p
        x.XInternAtom.restype = c_ulong
        d = x.XOpenDisplay(None)
        class Message(ctypes.Structure):
            _fields_ = [("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p),
                        ("window", c_ulong), ("message_type", c_ulong), ("format", c_int), ("data", c_long * 5),
                        ("pad", c_long * 24)]
        def atom(name): return x.XInternAtom(c_void_p(d), c_char_p(name), 0)
        m = Message(33, 0, 1, d, {window.stdout.split()[0]}, atom(b"WM_PROTOCOLS"), 32)
        m.data[0] = atom(b"WM_DELETE_WINDOW")
        x.XSendEvent(c_void_p(d), c_ulong(m.window), 0, c_long(0), ctypes.byref(m))
        x.XFlush(c_void_p(d))
        """)
    subprocess.run([sys.executable, "-c", close], env=os.environ | {"DISPLAY": display}, check=True, timeout=30)
    assert process.wait(30) == 0


def test_a_size_from_a_larger_screen_is_made_to_fit(display: str, tmp_path: Path) -> None:
    code = """
        from duplex.app.settings import load_settings
        from duplex.app.window import Viewer
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
