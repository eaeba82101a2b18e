"""``duplex-bake inspect``: parse, inspect, print."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from duplex.app.core.apart import trusting
from duplex.app.core.files import reserve
from duplex.app.core.images import to_png
from duplex.app.core.outputs import check_output
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_scene_arguments, scene_options
from duplex.baking.inspection import check_side, facts, preview_of
from duplex.baking.subject import SceneOptions, read_subject


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-bake inspect``; ``arguments``: the command line after ``inspect``."""
    parser = argparse.ArgumentParser(
        "duplex-bake inspect", description="Say what a checkpoint is, what would be assumed of it, and draw it once."
    )
    parser.add_argument("checkpoint", type=Path, help="the checkpoint's file, or the folder that holds it")
    parser.add_argument(
        "--preview", type=Path, metavar="PNG", help="where the picture goes [CHECKPOINT-preview.png here]"
    )
    parser.add_argument("--size", type=int, default=200, help="side of the picture in pixels [200]")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_scene_arguments(parser)
    given = parser.parse_args(arguments)
    return console.run(lambda: _inspect(given))


def _inspect(arguments: argparse.Namespace) -> int:
    check_side(arguments.size)
    file = arguments.preview or Path(f"{arguments.checkpoint.resolve().stem}-preview.png")
    check_output(file, "the picture to write")
    options = SceneOptions(**scene_options(arguments))
    with trusting(arguments.trusted):
        subject = read_subject(arguments.checkpoint, arguments.data, arguments.device, options)
    known = facts(subject)
    if not arguments.json:  # before the picture, which takes longer and can fail
        print("\n".join(f"{name:15}{value}" for name, value in _lines(known)))
    with reserve(file) as unfinished:
        preview = preview_of(subject, arguments.size)
        unfinished.write(file, to_png(preview.picture))
        unfinished.finish()
    matter = [[round(float(x), 3) for x in corner] for corner in preview.matter]
    if arguments.json:
        print(json.dumps(known | {"matter": matter, "preview": str(file)}))
    else:
        print(f"{'matter':15}{_box(matter)}\n{'preview':15}{file}")
    return 0


def _lines(known: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for name, value in known.items():
        if name == "assumed":
            lines += [("assumed", sentence) for sentence in value]
        elif name == "bounds":
            lines.append((name, _box(value)))
        elif isinstance(value, list):
            lines.append((name, " ".join(f"{x:g}" for x in value)))
        else:
            lines.append((name, f"{value:g}" if isinstance(value, float) else str(value)))
    return lines


def _box(corners: list[list[float]]) -> str:
    return " to ".join(" ".join(f"{x:.3g}" for x in corner) for corner in corners)
