"""Seed files: small sound inputs of every kind, made by the builders of the tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def write(folder: Path, kinds: Iterable[str]) -> None:
    """Write the seeds of these kinds into ``folder/KIND/small/NAME/...`` and ``folder/KIND/large/NAME/...``."""
    for kind in sorted(kinds):
        for size in ("small", "large"):
            (folder / kind / size).mkdir(parents=True)
        if kind == "checkpoint":
            from fuzzing.seeds import checkpoints

            checkpoints.write(folder / kind)
        elif kind == "bundle":
            from fuzzing.seeds import bundles

            bundles.write(folder / kind)
        elif kind == "dataset":
            from fuzzing.seeds import datasets

            datasets.write(folder / kind)
        elif kind == "capture":
            from fuzzing.seeds import captures

            captures.write(folder / kind)
        else:
            from fuzzing.seeds import viewer

            viewer.write(folder / kind, kind)
