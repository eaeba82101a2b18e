"""``duplex-eval ablate``: parse, ablate, print."""

from __future__ import annotations

import argparse
from pathlib import Path

from duplex.baking.api import ablate
from duplex.baking.commands import console
from duplex.baking.commands.scene_arguments import add_scene_arguments, scene_options
from duplex.baking.config import PRESETS, BakeConfig
from duplex.baking.evaluation.ablation.table import table
from duplex.baking.settings import add_flags, given_settings


def main(arguments: list[str]) -> int:
    """Entry point of ``duplex-eval ablate``; ``arguments``: the command line after ``ablate``."""
    parser = argparse.ArgumentParser(
        "duplex-eval ablate",
        description="Distil a checkpoint again and again, each time with one thing changed, and compare.",
    )
    parser.add_argument("checkpoint", type=Path, help="the checkpoint's file, or the folder that holds it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the Markdown table to write")
    parser.add_argument("--quality", choices=PRESETS, default="draft", help="preset of all settings [draft]")
    parser.add_argument("--size", type=int, default=200, help="longer side of the test photos in pixels [200]")
    parser.add_argument(
        "--resources",
        action="store_true",
        help="more of one resource at a time (texels, faces, steps ...) instead of one idea of the method less",
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted ablation")
    parser.add_argument("--restart", action="store_true", help="throw an interrupted ablation away and begin anew")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers [0]")
    parser.add_argument("--no-lpips", action="store_true", help="leave out LPIPS, whose weights are fetched once")
    add_scene_arguments(parser)
    add_flags(parser, BakeConfig, "draft")
    given = parser.parse_args(arguments)
    return console.run(lambda: _ablate(given))


def _ablate(arguments: argparse.Namespace) -> int:
    rows = ablate(
        arguments.checkpoint,
        arguments.output,
        data=arguments.data,
        quality=arguments.quality,
        size=arguments.size,
        resources=arguments.resources,
        lpips=not arguments.no_lpips,
        resume=arguments.resume,
        restart=arguments.restart,
        seed=arguments.seed,
        device=arguments.device,
        trusted=arguments.trusted,
        **scene_options(arguments),
        **given_settings(arguments, BakeConfig),
    )
    print(table(rows))
    return 0
