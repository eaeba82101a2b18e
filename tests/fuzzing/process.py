"""The parent's side of a worker: it is started, watched, killed when an input takes too long, and started again."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from fuzzing.judge import MAX_CLOCK, MAX_SECONDS, Outcome, place_in
from fuzzing.worker import MORE_MEMORY, STATE, STATE_BYTES

TESTS = Path(__file__).resolve().parent.parent
CALL = "import sys; sys.path.insert(0, sys.argv.pop(1)); from fuzzing.worker import main; main()"
START_SECONDS = 120.0


@dataclass(frozen=True)
class State:
    """``index`` and ``recipe`` of the present input, when it began (processor time, clock; 0 for none), and counts."""

    index: int
    done: int
    refused: int
    accepted: int
    start: float
    clock: float
    longest: float
    recipe: tuple[int, ...]


class Process:
    """One worker process; ``plan``: what :func:`fuzzing.worker.main` is given."""

    def __init__(self, plan: dict[str, Any]):
        self.folder = Path(plan["folder"])
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "state").write_bytes(STATE.pack(-1, 0, 0, 0, 0.0, 0.0, 0.0).ljust(STATE_BYTES, b"\0"))
        (self.folder / "plan.json").write_text(json.dumps(plan), "utf-8")
        single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", CALL, str(TESTS), str(self.folder / "plan.json")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.folder, text=True, env=os.environ | single,
        )  # fmt: skip
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self._watched = psutil.Process(self._process.pid)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def event(self, seconds: float) -> dict[str, Any] | None:
        """The next thing that the worker tells; an empty one when nothing came in time, None when it is gone."""
        try:
            line = self._lines.get(timeout=seconds) if seconds else self._lines.get_nowait()
        except queue.Empty:
            return {}
        return None if line is None else dict(json.loads(line))

    def ask(self, folder: Path) -> None:
        """Have a serving worker use the input in ``folder``."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone, as the next event tells
            self._process.stdin.write(json.dumps(str(folder)) + "\n")
            self._process.stdin.flush()

    def state(self) -> State:
        """How far a worker is that streams."""
        content = (self.folder / "state").read_bytes()
        text = content[STATE.size :].partition(b"\0")[0]
        try:
            recipe = tuple(json.loads(text)) if text else ()
        except ValueError:  # caught between two writes
            recipe = ()
        return State(*STATE.unpack_from(content), recipe)

    def hangs(self, start: float, clock: float) -> bool:
        """Whether an input takes too long that was begun at these times (see :mod:`fuzzing.judge`)."""
        waited = time.monotonic() - clock
        if waited <= MAX_SECONDS:
            return False
        return waited > MAX_CLOCK + 1 or self.processor_seconds() - start > MAX_SECONDS + 1

    def processor_seconds(self) -> float:
        """The processor time of the worker, 0 if it is gone."""
        try:
            times = self._watched.cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def greedy(self) -> bool:
        """Whether the worker has more memory than its limit, on systems that do not enforce it."""
        try:
            return sys.platform != "linux" and self._watched.memory_info().rss > 2 * MORE_MEMORY
        except psutil.Error:
            return False

    def kill(self) -> None:
        """End the worker at once."""
        self._process.kill()
        self._process.wait()

    def end_of(self, hung: bool) -> Outcome:
        """How a worker ended that hangs or is gone: its place is where the program was."""
        if hung and hasattr(signal, "SIGUSR1"):
            self._process.send_signal(signal.SIGUSR1)  # faulthandler prints where it is
            time.sleep(0.3)
        if hung:
            self.kill()
        status = self._process.wait()
        dump = (self.folder / "log").read_bytes()[-20_000:].decode("utf-8", "replace")
        if hung:
            return Outcome("hang", place_in(dump), f"more than {MAX_SECONDS:g} s")
        last = next(iter(dump.strip().splitlines()[::-1]), "")
        return Outcome("crash", place_in(dump), f"exit status {status}: {last:.200}")


class Sandbox:
    """Uses single inputs in a worker of its own, for making defects small and for repeating them."""

    def __init__(self, target: str, folder: Path, seeds: Path):
        self._plan = {"target": target, "folder": str(folder), "seeds": str(seeds), "seed": 0, "stop": None}
        self._process: Process | None = None

    def outcome(self, folder: Path) -> Outcome:
        """What comes of the input in ``folder``."""
        if self._process is None:
            self._process = Process(self._plan)
            self._wait(self._process, START_SECONDS)
        process = self._process
        process.ask(folder)
        clock, start = time.monotonic(), process.processor_seconds()
        event: dict[str, Any] | None = {}
        while event == {} and not process.hangs(start, clock):
            event = self._wait(process, 0.5)
        if not event:
            self._process = None
            return process.end_of(hung=event is not None)
        if event["last"]:
            self.close()
        return Outcome(event["kind"], event["place"], event["text"])

    def _wait(self, process: Process, seconds: float) -> dict[str, Any] | None:
        """The next event but those about seeds."""
        end = time.monotonic() + seconds
        while True:
            event = process.event(max(end - time.monotonic(), 0.01))
            if not event or event["event"] != "seed":
                return event

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process = None
