"""``duplex-train poses``: parse, pose, print. It needs neither torch nor the rest of the extra ``bake``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from duplex.baking.capture.posing import pose
from duplex.baking.commands import console


def main() -> int:
    """Entry point of ``duplex-train poses``."""
    parser = argparse.ArgumentParser(
        "duplex-train poses",
        description="Find the cameras of photos or of a video, and write them as a dataset for duplex-train, for "
        "--data and for other programs.",
    )
    parser.add_argument("source", type=Path, help="the folder of the photos, or the video")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--resume", action="store_true", help="go on where it was interrupted")
    parser.add_argument("--restart", action="store_true", help="throw what is there away and begin anew")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers [0]")
    parser.add_argument("--trusted", action="store_true", help="decode pictures and video in this process")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args(sys.argv[2:])
    return console.run(lambda: _pose(arguments))


def _pose(arguments: argparse.Namespace) -> int:
    report = pose(
        arguments.source,
        arguments.output,
        seed=arguments.seed,
        resume=arguments.resume,
        restart=arguments.restart,
        trusted=arguments.trusted,
    )
    if arguments.json:
        print(json.dumps(asdict(report)))
    else:
        print(f"{arguments.output}: {len(report.placed)} of {report.photos} photos, {report.points} points")
    return 0
