"""A campaign: the inputs of one target, shared between workers, and what is found."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzzing.judge import ACCEPTED, REFUSED, Outcome
from fuzzing.process import START_SECONDS, Process
from fuzzing.targets import Target

ENDLESS = 1 << 60
POLL = 0.05


@dataclass
class Defect:
    """A kind of defect: how its first input ended, that input's recipe, and how many inputs ended so."""

    outcome: Outcome
    recipe: tuple[int, ...]
    count: int = 1


@dataclass
class Tally:
    """What a campaign did; ``seeds``: what is wrong with unchanged seed files."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    refused: int = 0
    accepted: int = 0
    longest: float = 0.0
    defects: dict[tuple[str, str], Defect] = field(default_factory=dict)
    seeds: set[str] = field(default_factory=set)

    def add(self, outcome: Outcome, recipe: tuple[int, ...]) -> None:
        """Count a defect; those of one kind at one place are one."""
        key = (outcome.kind, outcome.place.partition(" ")[0])
        if key in self.defects:
            self.defects[key].count += 1
        else:
            self.defects[key] = Defect(outcome, recipe)


class Lane:
    """The share of one worker: every ``stride``-th input from ``start`` on."""

    def __init__(self, plan: dict[str, Any], tally: Tally):
        self._plan = plan | {"pool": [], "seen": []}
        self._tally = tally
        self._started = time.monotonic()
        self._process: Process | None = Process(self._plan)

    def poll(self) -> bool:
        """Take in what the worker tells, and start it again when it is gone; returns whether it goes on."""
        process = self._process
        if process is None:
            return False
        while event := process.event(0):
            self._take(event)
            if event["event"] == "end":
                self._count(process)
                self._again(event["index"])
                return self._process is not None
        state = process.state()
        waited = time.monotonic() - self._started
        hung = process.hangs(state.start, state.clock) if state.clock else waited > START_SECONDS
        if event is None or hung or process.greedy():
            outcome = process.end_of(hung=event is not None)
            if state.index < 0:
                raise RuntimeError(f"a worker did not start: {(process.folder / 'log').read_text('utf-8')[-2000:]}")
            self._count(process, unfinished=1)
            self._tally.add(outcome, state.recipe)
            self._again(state.index)
        return self._process is not None

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "seed":
            self._tally.seeds.add(event["text"])
        if event["event"] not in ("new", "again"):
            return
        outcome = Outcome(event["kind"], event["place"], event["text"])
        if event["event"] == "new":
            self._plan["seen"].append(outcome.skeleton)
            self._plan["pool"] += [event["recipe"]] if len(event["recipe"]) < 10 else []
        if outcome.kind not in (ACCEPTED, REFUSED):
            self._tally.add(outcome, tuple(event["recipe"]))

    def _count(self, process: Process, unfinished: int = 0) -> None:
        state = process.state()
        self._tally.inputs += state.done + unfinished
        self._tally.refused += state.refused
        self._tally.accepted += state.accepted
        self._tally.longest = max(self._tally.longest, state.longest)

    def _again(self, index: int) -> None:
        """Go on behind ``index`` with a new process, if there is anything left."""
        self._plan["start"] = index + self._plan["stride"]
        self._started = time.monotonic()
        assert self._process is not None
        self._process.kill()
        self._process = Process(self._plan) if self._plan["start"] < self._plan["stop"] else None

    def stop(self) -> None:
        """End the worker; what it has done counts."""
        if self._process is not None:
            while event := self._process.event(0):
                self._take(event)
            self._process.kill()
            self._count(self._process)
            self._process = None


@dataclass(frozen=True)
class Extent:
    """How long a campaign lasts: for ``seconds``, or for ``inputs``, whichever is over first."""

    seconds: float
    inputs: int | None = None


def run(target: Target, extent: Extent, seed: int, workers: int, folder: Path) -> Tally:
    """Use inputs of ``target``; ``folder``: on a fast disk, with the seed files in ``seeds``."""
    tally = Tally(target.name)
    start = time.monotonic()
    stop = ENDLESS if extent.inputs is None else extent.inputs
    plan = {"target": target.name, "seeds": str(folder / "seeds" / target.seeds), "seed": seed, "stop": stop}
    lanes = [
        Lane(plan | {"folder": str(folder / f"{target.name}-{i}"), "start": i, "stride": workers}, tally)
        for i in range(min(workers, stop))
    ]
    try:
        while sum(lane.poll() for lane in lanes) and time.monotonic() - start < extent.seconds:
            time.sleep(POLL)
    finally:
        for lane in lanes:
            lane.stop()
    tally.seconds = time.monotonic() - start
    return tally
