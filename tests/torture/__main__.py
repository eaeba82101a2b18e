"""``run.py torture``: kills, signals and full disks at random moments, then the next run; exits with 1 on a defect."""

from __future__ import annotations

import argparse
import importlib
import os
import random
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # a process with threads cannot be forked; tiny runs gain nothing from them
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from torture.jobs import JOBS, TortureJob, write_inputs
from torture.process import run
from torture.rounds import FULL, KILL, SIGNAL, Round, Whole, play, undisturbed

LIBRARIES = (
    "av",
    "duplex.app.tools.recordings",
    "duplex.app.tools.screenshots",
    "duplex.baking.commands.bake",
    "duplex.baking.commands.evaluate",
    "duplex.baking.commands.train",
    "torch._dynamo",  # which torch's optimisers import when the first is made
)


def main() -> int:
    """Play all rounds and print what happened."""
    parser = argparse.ArgumentParser("run.py torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="processes to kill [100]")
    parser.add_argument("--full-disks", type=int, default=20, help="runs that a full disk ends [20]")
    parser.add_argument("--signals", type=int, default=30, help="runs that get SIGINT, SIGTERM or SIGHUP [30]")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of all random choices [a new one]")
    parser.add_argument("--only", choices=[job.name for job in JOBS], action="append", help="a job; may be repeated")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="rounds at once [one a core]")
    arguments = parser.parse_args()
    jobs = [job for job in JOBS if not arguments.only or job.name in arguments.only]
    load_libraries()
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        folder = Path(name).resolve()
        whole = references(jobs, folder)
        rounds = list(played(jobs, whole, folder, arguments))
    return report(rounds, arguments.seed)


def load_libraries() -> None:
    """Import once what every forked run needs."""
    for name in LIBRARIES:
        importlib.import_module(name)


def references(jobs: list[TortureJob], folder: Path) -> dict[str, Whole]:
    """Write the inputs, and run each job in peace."""
    inputs = folder / "inputs"
    inputs.mkdir()
    ended = run(inputs, lambda: write_inputs(inputs))
    if ended.status:
        raise SystemExit(f"the inputs could not be written:\n{ended.printed}")
    whole = {}
    for job in jobs:
        place = folder / f"whole-{job.name}"
        place.mkdir()
        whole[job.name] = undisturbed(job, inputs, place)
        print(f"{job.name}: {whole[job.name].seconds:.1f} s undisturbed", flush=True)
    return whole


def played(
    jobs: list[TortureJob], whole: dict[str, Whole], folder: Path, arguments: argparse.Namespace
) -> Iterator[Round]:
    """Rounds until as many have been killed, interrupted and filled as are wanted."""
    chance = random.Random(arguments.seed)
    wanted = {KILL: arguments.kills, SIGNAL: arguments.signals, FULL: arguments.full_disks}
    number = 0
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("fork")) as pool:
        while kinds := [kind for kind, left in wanted.items() if left > 0]:
            futures = []
            for _ in range(2 * arguments.workers):
                kind = chance.choices(kinds, [wanted[kind] for kind in kinds])[0]
                job = chance.choices(jobs, [job.share for job in jobs])[0]
                seed = f"{arguments.seed}-{number}"
                place = folder / f"round-{number}"
                futures.append(pool.submit(play_named, kind, job.name, whole[job.name], place, seed))
                number += 1
            for future in futures:
                done = future.result()
                wanted[done.kind] -= {KILL: done.kills, SIGNAL: 1, FULL: done.filled}[done.kind]
                for defect in done.defects:
                    print(f"DEFECT {done.kind}, {done.job}, round {done.seed}: {defect}", flush=True)
                yield done


def play_named(kind: str, name: str, whole: Whole, folder: Path, seed: str) -> Round:
    """As :func:`torture.rounds.play`, for a job by its name, because functions do not travel between processes."""
    return play(kind, next(job for job in JOBS if job.name == name), whole, folder, seed)


def report(rounds: list[Round], seed: str) -> int:
    """Print the counts; returns the exit status."""
    table: dict[str, Counter[str]] = {}
    for each in rounds:
        row = table.setdefault(each.job, Counter())
        row["kills"] += each.kills
        row["signals"] += each.kind == SIGNAL
        row["full disks"] += each.filled
        row["defects"] += len(each.defects)
    columns = ("kills", "signals", "full disks", "defects")
    print(f"{'':12}" + "".join(f"{column:>12}" for column in columns))
    for name, row in [*table.items(), ("all", sum(table.values(), Counter()))]:
        print(f"{name:12}" + "".join(f"{row[column]:12}" for column in columns))
    defects = sum(len(each.defects) for each in rounds)
    if defects:
        print(f"{defects} defects: repeat with --seed {seed}")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
