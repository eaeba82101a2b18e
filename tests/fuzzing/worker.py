"""A process that uses thousands of inputs, one after the other, and tells what is wrong with them.

It runs with limits; the parent (:mod:`fuzzing.process`) watches the time. Lines on its first standard output are JSON.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import mmap
import os
import signal
import struct
import sys
import time
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import psutil
from fuzzing.inputs import MAX_BYTES, Files, Inputs, Recipe, Scratch, read_files
from fuzzing.judge import MAX_MEMORY, MAX_PRINTED, REFUSED, Outcome, judged
from fuzzing.targets import BY_NAME, Target

MORE_MEMORY = 2 << 30  # bytes that a worker may ask for above what it has when idle
MAX_POOL = 3000
STATE = struct.Struct("<4q3d")  # index, inputs done, refused, accepted, times at the start, longest; then the recipe
STATE_BYTES = 1024


class Worker:
    """Uses inputs of a target; ``folder``: where it may write, ``log``: where what is printed goes."""

    def __init__(self, target: Target, folder: Path):
        self.target = target
        self.scratch = Scratch(folder / "case")
        self.idle = 0
        self.log = os.open(folder / "log", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        self.answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(self.log, 1)
        os.dup2(self.log, 2)
        faulthandler.enable(all_threads=False)
        if hasattr(faulthandler, "register"):
            faulthandler.register(signal.SIGUSR1, all_threads=False)

    def settle(self, seeds: list[Files]) -> None:
        """Use unchanged seeds, so that everything is imported, then set the limits."""
        for i, files in enumerate((seeds[0], *seeds)):
            self.scratch.hold(files)
            outcome = judged(self.target.use, self.scratch.folder)
            if i and (outcome.kind == REFUSED or outcome.defect):  # the first one also imports everything
                self.tell(event="seed", text=f"{sorted(files)}: {outcome.kind} {outcome.place} {outcome.text}")
        gc.collect()
        self.idle = peak_memory()
        limit_memory(psutil.Process().memory_info().vms + MORE_MEMORY)

    def outcome(self, files: Files) -> Outcome:
        """What comes of one input."""
        self.scratch.hold(files)
        found = judged(self.target.use, self.scratch.folder)
        printed = os.fstat(self.log).st_size
        if printed:
            os.ftruncate(self.log, 0)
        if found.defect:
            return found
        if printed > MAX_PRINTED:
            return Outcome("printed", found.place, f"{printed} bytes printed, then {found.text}")
        if self.bloated:
            return Outcome("memory", found.place, f"{peak_memory() - self.idle >> 20} MiB, then {found.text}")
        return found

    @property
    def bloated(self) -> bool:
        """Whether an input has taken too much memory: the peak cannot be set back, so a new process must go on."""
        return peak_memory() - self.idle > MAX_MEMORY

    def tell(self, **event: Any) -> None:
        """Tell the parent."""
        self.answers.write(json.dumps(event) + "\n")
        self.answers.flush()


def stream(worker: Worker, inputs: Inputs, plan: dict[str, Any], state: mmap.mmap) -> None:
    """Use the inputs ``start``, ``start + stride``, ... below ``stop``; interesting ones are mutated further."""
    pool: list[tuple[Recipe, Files]] = [(tuple(r), inputs.made(tuple(r))) for r in plan["pool"]]
    seen = {tuple(skeleton) for skeleton in plan["seen"]}
    done = refused = accepted = 0
    longest = 0.0
    for index in range(plan["start"], plan["stop"], plan["stride"]):
        random = Random(f"{plan['seed']}/{index}/pool")
        recipe: Recipe = (index,)
        start, clock = time.process_time(), time.monotonic()
        if pool and random.random() < 0.5:
            before, files = random.choice(pool)
            recipe, files = (*before, index), inputs.changed(files, index)
        else:
            files = inputs.made(recipe)
        text = json.dumps(recipe).encode()
        head = STATE.pack(index, done, refused, accepted, start, clock, longest)
        state[: STATE.size + len(text) + 1] = head + text + b"\0"
        outcome = worker.outcome(files)
        done += 1
        refused += outcome.kind == REFUSED
        accepted += not outcome.defect and outcome.kind != REFUSED
        longest = max(longest, time.process_time() - start)
        if outcome.skeleton not in seen:
            seen.add(outcome.skeleton)
            worker.tell(event="new", recipe=recipe, index=index, **asdict(outcome))
            if len(recipe) < 10 and len(pool) < MAX_POOL and sum(map(len, files.values())) < MAX_BYTES:
                pool.append((recipe, files))
        elif outcome.defect:
            worker.tell(event="again", recipe=recipe, index=index, **asdict(outcome))
        if worker.bloated:
            break
    state[: STATE.size] = STATE.pack(index, done, refused, accepted, 0.0, 0.0, longest)
    worker.tell(event="end", index=index)


def serve(worker: Worker) -> None:
    """Use the inputs whose folders come on the standard input, and answer each with its outcome."""
    worker.tell(event="ready")
    for line in sys.stdin:
        outcome = worker.outcome(read_files(Path(json.loads(line))))
        worker.tell(event="outcome", last=worker.bloated, **asdict(outcome))


def peak_memory() -> int:
    """The largest amount of memory that this process has used, bytes."""
    try:
        import resource
    except ImportError:
        return int(psutil.Process().memory_info().peak_wset)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def limit_memory(size: int) -> None:
    """Let this process ask for ``size`` bytes at most, where the system can do that; the parent watches elsewhere."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """``worker PLAN``: a JSON file with the target, its folders, and the inputs."""
    plan = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    if plan["target"] in ("checkpoint", "yaml"):
        import torch

        torch.set_num_threads(1)
    target = BY_NAME[plan["target"]]
    folder = Path(plan["folder"])
    worker = Worker(target, folder)
    inputs = Inputs(Path(plan["seeds"]), plan["seed"], target.only)
    worker.settle(inputs.small)
    if plan["stop"] is None:
        serve(worker)
        return
    with (folder / "state").open("r+b") as file, mmap.mmap(file.fileno(), STATE_BYTES) as state:
        stream(worker, inputs, plan, state)
