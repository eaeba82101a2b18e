"""Inputs by number: each follows from the seed of the run and its recipe alone.

A recipe is a list of numbers. The first chooses a seed file and its first mutation, each other one mutates what the
numbers before it made; so an input that was made from an interesting one can be made again without all the others.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from fuzzing.mutators.formats import Files, mutated

MAX_BYTES = 60_000  # of an input that is mutated further
LARGE_SHARE = 0.01
Recipe = tuple[int, ...]


def read_files(folder: Path) -> Files:
    """All files under ``folder`` by their relative names."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


class Inputs:
    """The inputs of one target and one seed; ``folder``: its seed files, in ``small`` and ``large``."""

    def __init__(self, folder: Path, seed: int, only: tuple[str, ...] = ()):
        self._seed = seed
        self._only = only
        self.small, self.large = (
            [read_files(place) for place in sorted((folder / size).iterdir()) if _fits(place, only)]
            for size in ("small", "large")
        )

    def made(self, recipe: Recipe) -> Files:
        """The input of a recipe."""
        random = Random(f"{self._seed}/{recipe[0]}")
        large = self.large and random.random() < LARGE_SHARE
        files = mutated(random.choice(self.large if large else self.small), random, self._only)
        for number in recipe[1:]:
            files = self.changed(files, number)
        return files

    def changed(self, files: Files, number: int) -> Files:
        """``files`` mutated further."""
        return mutated(files, Random(f"{self._seed}/{number}"), self._only)


def _fits(folder: Path, only: tuple[str, ...]) -> bool:
    return not only or any(file.name.endswith(only) for file in folder.rglob("*"))


class Scratch:
    """A folder that holds one input after the other."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._names: set[str] = set()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def hold(self, files: Files) -> None:
        """Replace the files of the input before."""
        for name in self._names - files.keys():
            (self.folder / name).unlink(missing_ok=True)
        for name, content in files.items():
            if name not in self._names:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            with open(self.folder / name, "wb") as stream:  # noqa: PTH123 as quick as it gets
                stream.write(content)
        self._names = set(files)
