"""Where the bake's commands start, before torch is loaded."""

from __future__ import annotations

import sys

from duplex.app import start


def bake() -> int:
    """``duplex-bake``."""
    return start.run("duplex.baking.commands.bake", "bake")


def evaluate() -> int:
    """``duplex-eval``."""
    return start.run("duplex.baking.commands.evaluate", "bake")


def train() -> int:
    """``duplex-train``, and ``duplex-train poses``, which works without torch."""
    if sys.argv[1:2] == ["poses"]:
        return start.run("duplex.baking.commands.poses", "photos")
    return start.run("duplex.baking.commands.train", "bake")


def fly() -> int:
    """``run.py PHOTOS``."""
    return start.run("duplex.baking.commands.fly", "bake")


if __name__ == "__main__":
    sys.exit({"bake": bake, "eval": evaluate, "train": train, "fly": fly}[sys.argv.pop(1)]())
