"""Bake a checkpoint and show the progress of each stage on one line.

python examples/02_bake_with_progress.py path/to/checkpoint scene.bundle
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duplex


def show(event: Any) -> None:
    """Print a message, or how far a stage is; an exception raised here would end the bake, resumable."""
    if event.message:
        print(event.message)
    else:
        print(f"\r{event.stage}: {event.share:.0%} {event.note}", end="\n" if event.ended else "", flush=True)


def main(checkpoint: Path, output: Path, **settings: Any) -> duplex.Bundle:
    """Bake, and go on with the bake of an earlier run if there is one."""
    unfinished = output.with_name(output.name + ".baking").exists()
    bundle = duplex.bake(checkpoint, output, progress=show, resume=unfinished, **settings)
    print(f"{output}: {bundle.faces} faces, bracketing {bundle.report['bracketing']:.1%}")
    return bundle


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
