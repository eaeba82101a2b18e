"""``run.py fuzz``: mutated inputs for everything that reads files of others, what goes wrong, and the smallest inputs.

Exit status: 0 without defects, 1 with defects, 2 when a seed file is refused, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzzing import corpus, seeds
from fuzzing.campaign import Defect, Extent, Tally, run
from fuzzing.inputs import Inputs, Recipe, Scratch
from fuzzing.minimise import Minimiser
from fuzzing.mutators.formats import Files
from fuzzing.process import Sandbox
from fuzzing.targets import BY_NAME, TARGETS, Target

TITLES = ("inputs", "seconds", "ms each", "refused", "accepted", "longest s", "defects")
MINIMISE_SECONDS = 30.0
FOUND = corpus.CORPUS.parent.parent.parent / "build" / "fuzz"  # inputs too large for the corpus


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("run.py fuzz", description="Feed mutated files to everything that reads files.")
    parser.add_argument("--minutes", type=float, help="how long, all targets together (default 1, without --inputs)")
    parser.add_argument("--inputs", type=int, help="how many inputs, all targets together")
    parser.add_argument("--target", choices=("all", *BY_NAME), default="all")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the random numbers: the same seed makes the same inputs"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)"
    )
    parser.add_argument(
        "--only", metavar="RECIPE", help="use this one input of a target, as the list of defects names it"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there")
    parser.add_argument("--corpus", type=Path, default=corpus.CORPUS, help="where small inputs of defects go")
    given = parser.parse_args(arguments)
    if given.only and given.target == "all":
        parser.error("--only needs a --target")
    return given


def main() -> int:
    """The command; returns its exit status."""
    given = parsed(sys.argv[1:])
    memory = Path("/dev/shm")  # noqa: S108 the folder inside gets a name of its own
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None) as name:
        folder = Path(name)
        targets = TARGETS if given.target == "all" else (BY_NAME[given.target],)
        seeds.write(folder / "seeds", {target.seeds for target in targets})
        if given.only:
            return repeat(targets[0], tuple(int(x) for x in given.only.split(".")), given.seed, folder)
        try:
            tallies = [campaign(target, given, len(targets) == 1, folder) for target in targets]
        except KeyboardInterrupt:
            return 130
        files = {t.target: small_files(t, given, folder) for t in tallies if t.defects}
    print_table(tallies, files)
    if given.json:
        given.json.write_text(json.dumps([as_json(t) for t in tallies], indent=1), "utf-8")
    if any(tally.defects for tally in tallies):
        return 1
    return 2 if any(tally.seeds for tally in tallies) else 0


def campaign(target: Target, given: argparse.Namespace, alone: bool, folder: Path) -> Tally:
    """The target's share of the run."""
    share = 1.0 if alone else target.share
    minutes = given.minutes or (1 if given.inputs is None else 1e6)
    inputs = None if given.inputs is None else max(round(given.inputs * share), 1)
    print(f"fuzzing {target.name} ...", flush=True)
    return run(target, Extent(60 * minutes * share, inputs), given.seed, given.workers, folder)


def repeat(target: Target, recipe: Recipe, seed: int, folder: Path) -> int:
    """Use one input, keep its files and say what comes of it."""
    files = Inputs(folder / "seeds" / target.seeds, seed, target.only).made(recipe)
    place = FOUND / f"{target.name}-{seed}-{recipe[-1]}"
    shutil.rmtree(place, ignore_errors=True)
    Scratch(place).hold(files)
    sandbox = Sandbox(target.name, folder / "sandbox", folder / "seeds" / target.seeds)
    outcome = sandbox.outcome(place)
    sandbox.close()
    print(f"{outcome.kind}: {outcome.place}: {outcome.text}\nits files: {place}")
    return int(outcome.defect)


def small_files(tally: Tally, given: argparse.Namespace, folder: Path) -> list[Path]:
    """Write the smallest input of each defect into the corpus."""
    target = BY_NAME[tally.target]
    inputs = Inputs(folder / "seeds" / target.seeds, given.seed, target.only)
    sandbox = Sandbox(target.name, folder / "sandbox", folder / "seeds" / target.seeds)
    scratch = Scratch(folder / "smaller")
    written = []
    for defect in tally.defects.values():
        files = smallest(defect, inputs.made(defect.recipe), sandbox, scratch)
        small = sum(map(len, files.values())) < corpus.MAX_BYTES
        written.append(corpus.add(target.name, defect.outcome, files, given.corpus if small else FOUND))
    sandbox.close()
    return written


def smallest(defect: Defect, files: Files, sandbox: Sandbox, scratch: Scratch) -> Files:
    """A small input with the same defect."""
    wanted = (defect.outcome.kind, defect.outcome.place.partition(" ")[0])

    def stays(smaller: Files) -> bool:
        scratch.hold(smaller)
        outcome = sandbox.outcome(scratch.folder)
        return (outcome.kind, outcome.place.partition(" ")[0]) == wanted

    return Minimiser(stays, MINIMISE_SECONDS).files(files) if stays(files) else files


def print_table(tallies: list[Tally], files: dict[str, list[Path]]) -> None:
    """What was done, then each kind of defect with the recipe that repeats it."""
    print(f"{'target':11}" + "".join(f"{title:>10}" for title in TITLES))
    for t in tallies:
        each = 1000 * t.seconds / max(t.inputs, 1)
        row = (f"{t.seconds:.0f}", f"{each:.2f}", t.refused, t.accepted, f"{t.longest:.2f}", len(t.defects))
        print(f"{t.target:11}{t.inputs:10}" + "".join(f"{value:>10}" for value in row))
    for t in tallies:
        for text in sorted(t.seeds):
            print(f"a seed of {t.target} is refused: {text}")
        for d in sorted(t.defects.values(), key=lambda d: -d.count):
            recipe, found = ".".join(map(str, d.recipe)), d.outcome
            print(f"--target {t.target} --only {recipe}: {d.count} x {found.kind}: {found.place}: {found.text}")
    for file in (file for written in files.values() for file in written):
        print(f"new: {file}")


def as_json(tally: Tally) -> dict[str, object]:
    """The counts of a target."""
    counts = {name: getattr(tally, name) for name in ("target", "inputs", "seconds", "refused", "accepted", "longest")}
    found = [{"recipe": d.recipe, "count": d.count, **asdict(d.outcome)} for d in tally.defects.values()]
    return counts | {"defects": found}


if __name__ == "__main__":
    sys.exit(main())
