"""``duplex-train``: parse, train, print."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from duplex.baking.api import train
from duplex.baking.checkpoints.loading import SPACES
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_trusted
from duplex.baking.settings import add_flags, given_settings
from duplex.baking.training.config import PRESETS, TrainConfig
from duplex.baking.training.job import FIELDS

SCENE_FLAGS = ("near", "far", "bounds", "background", "space")


def main() -> int:
    """Entry point of ``duplex-train``."""
    parser = argparse.ArgumentParser(
        "duplex-train",
        description="Train a radiance field from photos or a video, for duplex-bake.",
        epilog="duplex-train poses PHOTOS -o FOLDER finds the cameras of photos or of a video alone.",
    )
    parser.add_argument(
        "data",
        type=Path,
        help="the folder of the photos and their cameras, or the file of those; or photos alone, or a video, whose "
        "cameras are then found",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument(
        "--field", choices=FIELDS, default="tensorf", help="TensoRF's grids or NeRF's network [tensorf]"
    )
    parser.add_argument("--quality", choices=PRESETS, default="draft", help="preset of all settings [draft]")
    parser.add_argument(
        "--poses",
        type=Path,
        metavar="FOLDER",
        help="where to write the cameras that are found, a dataset for --data [OUTPUT.poses]",
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted training")
    parser.add_argument("--restart", action="store_true", help="throw an interrupted training away and begin anew")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers [0]")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 ... [auto: cuda where there is one]")
    add_trusted(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    scene = parser.add_argument_group("scene", "What the dataset says, unless given.")
    scene.add_argument("--near", type=float, help="depth at which rays begin, world units")
    scene.add_argument("--far", type=float, help="depth at which rays end, world units")
    scene.add_argument("--bounds", type=float, nargs=6, metavar="X", help="box of the field: low x y z, high x y z")
    scene.add_argument("--background", metavar="COLOR", help="behind the photos: white, black or #rrggbb")
    scene.add_argument(
        "--space",
        choices=SPACES,
        help="where the field lives: world, an object in a box; ndc, forward-facing photos; contracted, a scene with "
        "surroundings [as the photos are]",
    )
    add_flags(parser, TrainConfig, "draft")
    arguments = parser.parse_args()
    return console.run(lambda: _train(arguments))


def _train(arguments: argparse.Namespace) -> int:
    report = train(
        arguments.data,
        arguments.output,
        field=arguments.field,
        quality=arguments.quality,
        resume=arguments.resume,
        restart=arguments.restart,
        seed=arguments.seed,
        device=arguments.device,
        trusted=arguments.trusted,
        poses=arguments.poses,
        **{name: getattr(arguments, name) for name in SCENE_FLAGS if getattr(arguments, name) is not None},
        **given_settings(arguments, TrainConfig),
    )
    if arguments.json:
        print(json.dumps(report.to_json()))
        return 0
    quality = f"{report.psnr:.2f} dB on held-out photos" if report.views else "no photos held out"
    print(
        f"{arguments.output}: {report.bytes / 1e6:.1f} MB, {report.network}, {quality}, training "
        f"{report.training_psnr:.1f} dB, {sum(report.seconds.values()):.0f} s, "
        f"peak memory {report.peak_memory_gib:.1f} GiB"
    )
    return 0
