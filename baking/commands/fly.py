"""``run.py PHOTOS``: from photos, a video or a dataset to the viewer, in one command."""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from pathlib import Path

from duplex.app import start
from duplex.app.core.files import write_atomically
from duplex.baking.api import bake, train
from duplex.baking.commands import console
from duplex.baking.config import PRESETS
from duplex.baking.runtime.progress import say

NO_DISPLAY = 3  # the viewer's exit status where no window can be opened
LOOK_SECONDS = 0.5  # between two looks for the first preview


def main() -> int:
    """Train, bake and open the viewer; a window shows what is learned so far as soon as there is something."""
    parser = argparse.ArgumentParser(
        "run.py",
        description="Train a radiance field from photos or a video, bake it and fly through it. What an earlier run "
        "has finished or begun is gone on with.",
    )
    parser.add_argument("source", type=Path, help="the folder of the photos, with or without cameras, or a video")
    parser.add_argument("-o", "--output", type=Path, help="the bundle to write [SOURCE.bundle in the current folder]")
    parser.add_argument("--quality", choices=PRESETS, default="draft", help="preset of all settings [draft]")
    parser.add_argument("--restart", action="store_true", help="throw away what an interrupted run has begun")
    arguments = parser.parse_args()
    source = arguments.source
    output = arguments.output or Path(f"{source.resolve().stem}.bundle")
    return console.run(lambda: fly(source, output, arguments.quality, arguments.restart))


def fly(source: Path, output: Path, quality: str, restart: bool = False) -> int:
    """Make the bundle ``output`` of ``source``, unless it is there, and open it; returns the exit status.

    What an interrupted run has begun is gone on with, or with ``restart`` thrown away.
    """
    if output.exists():
        say(f"{output} is there already: remove it to make it anew")
        return view(output)
    teacher = output.with_suffix(".th")
    if teacher.exists():
        say(f"{teacher} is there already: remove it to train anew")
    else:
        say("1 of 2: training")
        begun = not restart and any(Path(f"{teacher}.{part}").exists() for part in ("training", "poses"))
        report = train(source, teacher, quality=quality, resume=begun, restart=restart)
        if report.psnr is not None:
            say(f"{report.psnr:.1f} dB on held-out photos")
    say("2 of 2: baking")
    poses = Path(f"{teacher}.poses")
    preview = output.with_suffix(".preview.bundle")
    with Watching(preview) as window:
        begun = not restart and Path(f"{output}.baking").exists()
        data = poses if poses.exists() else source
        bake(teacher, output, data=data, quality=quality, preview=preview, resume=begun, restart=restart)
        print(f"{output}: {output.stat().st_size / 1e6:.1f} MB", flush=True)
        if window.finish(output):
            return 0
    return view(output)


def view(bundle: Path) -> int:
    """Open the viewer and wait for its end; returns its exit status, 0 where there is no display."""
    status = subprocess.run([sys.executable, "-P", start.__file__, str(bundle)], check=False).returncode
    if status == NO_DISPLAY:
        say(f"no display here: open {bundle} with duplex-viewer where there is one")
        return 0
    return status


class Watching:
    """Opens the viewer on the file ``preview`` as soon as it is there; the file is removed at the end."""

    def __init__(self, preview: Path):
        self.preview = preview
        self.window: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._wait_for_it, daemon=True)

    def _wait_for_it(self) -> None:
        while not self.preview.exists():
            if self._ended.wait(LOOK_SECONDS):
                return
        command = [sys.executable, "-P", start.__file__, str(self.preview)]
        self.window = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # without a display it is told at the end

    def finish(self, bundle: Path) -> bool:
        """Let an open window show ``bundle`` until the user closes it; whether one was open.

        One that could not be opened, or was closed before, does not count.
        """
        self._ended.set()
        self._thread.join()
        if self.window is None or self.window.poll() is not None:
            return False
        write_atomically(self.preview, bundle.read_bytes())
        return self.window.wait() == 0

    def __enter__(self) -> Watching:
        self.preview.unlink(missing_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self.window is not None and self.window.poll() is None:
            self.window.terminate()
            self.window.wait()
        self.preview.unlink(missing_ok=True)
