"""Where the bake's commands start, before torch is loaded."""

from __future__ import annotations

import sys

from duplex.app import start


def bake() -> int:
    """``duplex-bake``."""
    return start.run("duplex.baking.commands.bake")


def evaluate() -> int:
    """``duplex-eval``."""
    return start.run("duplex.baking.commands.evaluate")


def train() -> int:
    """``duplex-train``."""
    return start.run("duplex.baking.commands.train")


if __name__ == "__main__":
    sys.exit({"bake": bake, "eval": evaluate, "train": train}[sys.argv.pop(1)]())
